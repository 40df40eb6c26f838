package dev.sluice.core.subscription;

import java.time.Duration;

/**
 * What happens to an event that its handler fails on. It is tried again after a pause that doubles
 * from {@code firstDelay} to {@code maxDelay}; after {@code maxAttempts} tries either the
 * subscription stops, or the event's stream is parked. Nothing is ever skipped by itself.
 *
 * @param maxAttempts how often an event is tried, 1 or more. Tries that the end of the process cut
 *     short count, too, but for the first, of which nobody knows at which event it was
 * @param firstDelay the pause before the second try
 * @param maxDelay the longest pause
 * @param then what comes after the last try
 */
public record FailurePolicy(int maxAttempts, Duration firstDelay, Duration maxDelay, Then then) {

  /** What comes after the last try. */
  public enum Then {
    /** The partition stops at the event until somebody decides. */
    STOP,
    /**
     * The event's stream is parked: its later events wait behind it, in order, until somebody
     * decides. Other streams go on.
     */
    PARK
  }

  /** The greatest number of streams that are parked in one partition; one more stops it. */
  public static final int MAX_PARKED = 100;

  /** Stops after 8 tries, with pauses from 100 ms to 10 s. */
  public static final FailurePolicy STOP =
      new FailurePolicy(8, Duration.ofMillis(100), Duration.ofSeconds(10), Then.STOP);

  /** Parks the stream after 8 tries, with pauses from 100 ms to 10 s. */
  public static final FailurePolicy PARK =
      new FailurePolicy(8, Duration.ofMillis(100), Duration.ofSeconds(10), Then.PARK);

  /** Refuses what makes no sense. */
  public FailurePolicy {
    if (maxAttempts < 1) {
      throw new IllegalArgumentException("an event is tried at least once, not " + maxAttempts);
    }
    if (firstDelay.isNegative() || maxDelay.compareTo(firstDelay) < 0) {
      throw new IllegalArgumentException(
          "delays must not be negative or shrink, as " + firstDelay + " to " + maxDelay + " do");
    }
  }

  /** A copy with another number of tries and other pauses. */
  public FailurePolicy withAttempts(int maxAttempts, Duration firstDelay, Duration maxDelay) {
    return new FailurePolicy(maxAttempts, firstDelay, maxDelay, then);
  }

  Duration pauseAfter(int attempts) {
    long nanos = firstDelay.toNanos() << Math.min(Math.max(attempts - 1, 0), 20);
    return Duration.ofNanos(nanos < 0 ? maxDelay.toNanos() : Math.min(maxDelay.toNanos(), nanos));
  }
}
