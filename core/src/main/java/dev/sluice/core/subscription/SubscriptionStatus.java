package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.event.StreamId;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * How one partition of a subscription is doing, as far as the store knows.
 *
 * @param subscription its name
 * @param partition which part
 * @param state what it is up to
 * @param owner which process runs it; empty if none does
 * @param position what was dealt with last, by its checkpoint
 * @param lagEvents how many readable events it has not dealt with. With several partitions, or one
 *     stream, it is exact as long as there are less than 1,000 events to look at; beyond, it counts
 *     those of the other partitions, or of the stream's category, too.
 * @param lag the age of the oldest of these; zero if there are none
 * @param detail the error, or who is waited for; empty if there is nothing to say
 * @param parked the streams that are parked
 * @param decisions the last decisions that people took: what, who and why
 */
public record SubscriptionStatus(
    String subscription,
    Partition partition,
    State state,
    Optional<String> owner,
    Position position,
    long lagEvents,
    Duration lag,
    String detail,
    List<Parked> parked,
    List<Decision> decisions) {

  /** Copies the lists. */
  public SubscriptionStatus {
    parked = List.copyOf(parked);
    decisions = List.copyOf(decisions);
  }

  /** What a partition is up to; the first that applies. */
  public enum State {
    /** No process runs it; the detail says why if it was begun with other partitions. */
    NO_OWNER,
    /**
     * The store, or what the handler needs, can't be reached; it tries again until it can. Seen in
     * the process that runs it only.
     */
    UNAVAILABLE,
    /** An event could not be dealt with; it waits for a decision. */
    STOPPED,
    /** An event has failed and is tried again. */
    RETRYING,
    /** Streams are parked and wait for a decision; the others go on. */
    PARKED,
    /** There are events to read. */
    CATCHING_UP,
    /** Everything readable is dealt with; an open append hides the rest. */
    WAITING_FOR_COMMIT,
    /** Everything is dealt with. */
    RUNNING
  }

  /**
   * A parked stream.
   *
   * @param stream which one
   * @param version the event that failed; later ones wait behind it
   * @param attempts how often it was tried
   * @param error what it failed with
   * @param since when it was parked
   */
  public record Parked(StreamId stream, long version, int attempts, String error, Instant since) {}

  /**
   * What somebody decided about an event that could not be dealt with.
   *
   * @param what {@code resume}, {@code skip} or {@code replace}
   * @param stream the event's stream
   * @param version the event's version
   * @param who who decided
   * @param why the reason given
   * @param at when
   */
  public record Decision(
      String what, StreamId stream, long version, String who, String why, Instant at) {}
}
