package dev.sluice.examples.bank.balances;

import dev.sluice.core.Position;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.bank.account.AccountEvent.Deposited;
import dev.sluice.examples.bank.account.AccountEvent.Opened;
import dev.sluice.examples.bank.account.AccountEvent.Sent;
import dev.sluice.examples.bank.account.AccountEvent.Withdrawn;
import dev.sluice.examples.bank.account.Money;
import java.util.Optional;
import java.util.function.Function;

/**
 * One version of the view that answers, without reading a stream, what accounts hold. Safe for use
 * by any number of threads.
 */
public interface Balances {

  /** The name of this version, and of its subscription. */
  String name();

  /** Where it is, and how it is kept right, for people. */
  String describe();

  /** What fills it. */
  Subscription subscription();

  /** The events that fill it. */
  EventFilter filter();

  /** One account, if it was opened. */
  Optional<Balance> find(String account);

  /** All accounts together. */
  Total total();

  /** Removes it, once another version has taken over. */
  void drop();

  /**
   * An account.
   *
   * @param movements how often money came in or went out
   */
  record Balance(String holder, Money money, long movements) {}

  /** How many accounts there are, and what they hold. */
  record Total(long accounts, Money money) {}

  /** What can be written, at one place in the log. */
  interface Rows {

    /** A row for a new account. */
    void open(String account, String holder, Position at);

    /** One movement more, and what the account holds after it. */
    void move(String account, Money balance, Position at);
  }

  /** How events change the view, wherever its rows are. */
  static <T> Projection<T> projection(String name, EventCodec codec, Function<T, Rows> rows) {
    return Projection.<T>named(name, codec)
        .category(Bank.CATEGORY)
        .on(
            Opened.class,
            (to, opened, event) ->
                rows.apply(to).open(event.stream().id(), opened.holder(), event.position()))
        .on(
            Deposited.class,
            (to, deposited, event) ->
                rows.apply(to).move(event.stream().id(), deposited.balance(), event.position()))
        .on(
            Withdrawn.class,
            (to, withdrawn, event) ->
                rows.apply(to).move(event.stream().id(), withdrawn.balance(), event.position()))
        .on(
            Sent.class,
            (to, sent, event) ->
                rows.apply(to).move(event.stream().id(), sent.balance(), event.position()))
        .build();
  }
}
