package dev.sluice.publisher;

import dev.sluice.core.Position;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How a lane is doing, at most some seconds ago.
 *
 * @param lane its number, from 0
 * @param condition whether it goes on
 * @param owner the process that publishes it, if any does
 * @param position how far it has come
 * @param backlog how many messages it has still to publish; with several lanes an even share of
 *     what the outbox holds behind the position, where that is more than 100 messages
 * @param behind how old the first of them is
 * @param error why it doesn't go on
 * @param stoppedBy the message that stopped it
 * @param parked the keys that it holds back
 */
public record LaneStatus(
    int lane,
    Condition condition,
    Optional<String> owner,
    Position position,
    long backlog,
    Duration behind,
    Optional<String> error,
    Optional<RefusedMessage> stoppedBy,
    List<ParkedKey> parked) {

  /** Whether a lane goes on. */
  public enum Condition {
    /** It publishes, or has nothing to publish. */
    RUNNING,
    /** It can't go on, and tries again; {@link LaneStatus#error} says why. */
    FAILING,
    /** A refused message stopped it; it waits for a decision. */
    STOPPED,
    /** No process owns it. */
    NO_OWNER
  }

  /**
   * A key that is held back.
   *
   * @param first the refused message
   * @param withheld how many messages of the key wait, that one included
   */
  public record ParkedKey(RefusedMessage first, long withheld) {}

  /** Copies the list. */
  public LaneStatus {
    parked = List.copyOf(parked);
  }
}
