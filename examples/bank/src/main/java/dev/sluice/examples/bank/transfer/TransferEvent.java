package dev.sluice.examples.bank.transfer;

import dev.sluice.core.EventType;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.examples.bank.account.Money;

/** What can happen to a transfer. Each name is what is stored, and never changes. */
public sealed interface TransferEvent extends DomainEvent {

  /** The money has left the one account, and is to be brought to the other. */
  @EventType("transfer-started")
  record Started(String from, String to, Money amount) implements TransferEvent {}

  /** The other account has the money. */
  @EventType("transfer-completed")
  record Completed() implements TransferEvent {}

  /** The other account took nothing; the money is to be brought back. */
  @EventType("transfer-rejected")
  record Rejected(String from, String to, Money amount, String reason) implements TransferEvent {}

  /** The money is back where it came from. */
  @EventType("transfer-compensated")
  record Compensated() implements TransferEvent {}

  /** It couldn't be brought back either: somebody has to look. */
  @EventType("transfer-stranded")
  record Stranded(String reason) implements TransferEvent {}
}
