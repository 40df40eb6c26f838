package dev.sluice.examples.bank.account;

import dev.sluice.core.aggregate.Decider;
import dev.sluice.examples.bank.account.AccountCommand.Close;
import dev.sluice.examples.bank.account.AccountCommand.Deposit;
import dev.sluice.examples.bank.account.AccountCommand.Open;
import dev.sluice.examples.bank.account.AccountCommand.Send;
import dev.sluice.examples.bank.account.AccountCommand.Withdraw;
import dev.sluice.examples.bank.account.AccountEvent.Closed;
import dev.sluice.examples.bank.account.AccountEvent.Deposited;
import dev.sluice.examples.bank.account.AccountEvent.Opened;
import dev.sluice.examples.bank.account.AccountEvent.Sent;
import dev.sluice.examples.bank.account.AccountEvent.Withdrawn;
import java.util.List;

/**
 * An account, as its events tell.
 *
 * @param holder who it belongs to; empty before it is opened
 */
public record Account(Status status, String holder, Money balance) {

  /** The stages of an account's life. */
  public enum Status {
    NOT_OPENED,
    OPEN,
    CLOSED
  }

  /** The rules. */
  public static final Decider<AccountCommand, Account, AccountEvent> DECIDER = new Rules();

  private static final class Rules implements Decider<AccountCommand, Account, AccountEvent> {

    @Override
    public Account initial() {
      return new Account(Status.NOT_OPENED, "", Money.ZERO);
    }

    @Override
    public Account evolve(Account account, AccountEvent event) {
      return switch (event) {
        case Opened opened -> new Account(Status.OPEN, opened.holder(), Money.ZERO);
        case Deposited deposited ->
            new Account(account.status, account.holder, deposited.balance());
        case Withdrawn withdrawn ->
            new Account(account.status, account.holder, withdrawn.balance());
        case Sent sent -> new Account(account.status, account.holder, sent.balance());
        case Closed closed -> new Account(Status.CLOSED, account.holder, account.balance);
      };
    }

    @Override
    public List<AccountEvent> decide(AccountCommand command, Account account) {
      return switch (command) {
        case Open open -> {
          if (account.status != Status.NOT_OPENED) {
            throw new RefusedException("The account is already there.");
          }
          yield List.of(new Opened(open.holder(), open.taxNumber()));
        }
        case Deposit deposit -> {
          requireOpen(account);
          Money balance = account.balance.plus(positive(deposit.amount()));
          yield List.of(new Deposited(deposit.amount(), balance, deposit.note()));
        }
        case Withdraw withdraw -> {
          Money rest = restAfter(withdraw.amount(), account);
          yield List.of(new Withdrawn(withdraw.amount(), rest, withdraw.note()));
        }
        case Send send -> {
          Money rest = restAfter(send.amount(), account);
          yield List.of(new Sent(send.transfer(), send.from(), send.to(), send.amount(), rest));
        }
        case Close close -> {
          requireOpen(account);
          if (account.balance.compareTo(Money.ZERO) > 0) {
            throw new RefusedException(
                "There are still %s in the account.".formatted(account.balance));
          }
          yield List.of(new Closed());
        }
      };
    }

    private static Money restAfter(Money amount, Account account) {
      requireOpen(account);
      if (positive(amount).compareTo(account.balance) > 0) {
        throw new RefusedException(
            "There are %s in the account, not %s.".formatted(account.balance, amount));
      }
      return account.balance.minus(amount);
    }

    private static void requireOpen(Account account) {
      switch (account.status) {
        case NOT_OPENED -> throw new RefusedException("There is no such account.");
        case CLOSED -> throw new RefusedException("The account is closed.");
        case OPEN -> {}
      }
    }

    private static Money positive(Money amount) {
      if (amount.equals(Money.ZERO)) {
        throw new RefusedException("An amount must be greater than zero.");
      }
      return amount;
    }
  }
}
