package dev.sluice.core.outbox;

/**
 * This publisher was not told where messages of a type go. That is no fault of the message, and
 * another process may publish it: one of the next version, while it replaces this one. So a relay
 * decides nothing about the message, and leaves the lane to others.
 */
public class TypeNotPublishedException extends MessageRefusedException {

  private static final long serialVersionUID = 1L;

  /** Which message, why, and what to do. */
  public TypeNotPublishedException(OutboxMessage refused, String reason) {
    super(refused, reason);
  }
}
