package dev.sluice.examples.bank.account;

import dev.sluice.core.EventType;
import dev.sluice.core.event.DomainEvent;

/** What can happen to an account. Each name is what is stored, and never changes. */
public sealed interface AccountEvent extends DomainEvent {

  /**
   * An account was opened.
   *
   * @param taxNumber private: known to the bank, and to nobody else
   */
  @EventType("account-opened")
  record Opened(String holder, String taxNumber) implements AccountEvent {}

  /**
   * Money came in.
   *
   * @param note private: what the clerk wrote down
   */
  @EventType("money-deposited")
  record Deposited(Money amount, Money balance, String note) implements AccountEvent {}

  /** Money went out. */
  @EventType("money-withdrawn")
  record Withdrawn(Money amount, Money balance, String note) implements AccountEvent {}

  /**
   * Money left for another account; the transfer sees to it that it arrives, or comes back.
   *
   * @param transfer the transfer's id
   */
  @EventType("money-sent")
  record Sent(String transfer, String from, String to, Money amount, Money balance)
      implements AccountEvent {}

  /** The account was closed; nothing happens to it any more. */
  @EventType("account-closed")
  record Closed() implements AccountEvent {}
}
