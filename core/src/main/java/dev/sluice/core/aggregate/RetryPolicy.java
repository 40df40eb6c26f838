package dev.sluice.core.aggregate;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * How often and how soon a command that met a technical conflict is decided again. The pause before
 * each attempt is random, up to a bound that doubles from {@code firstDelay} to {@code maxDelay},
 * so that those who collided do not collide again.
 *
 * @param maxAttempts 1 or more; 1 never retries
 * @param firstDelay the bound before the second attempt
 * @param maxDelay the greatest bound
 */
public record RetryPolicy(int maxAttempts, Duration firstDelay, Duration maxDelay) {

  /** 100 attempts, with pauses of up to 2 ms at first and up to 100 ms at last. */
  public static final RetryPolicy DEFAULT =
      new RetryPolicy(100, Duration.ofMillis(2), Duration.ofMillis(100));

  /** One attempt: every conflict is shown to the caller. */
  public static final RetryPolicy NEVER = new RetryPolicy(1, Duration.ZERO, Duration.ZERO);

  /** Refuses what makes no sense. */
  public RetryPolicy {
    if (maxAttempts < 1) {
      throw new IllegalArgumentException("at least 1 attempt is needed, not " + maxAttempts);
    }
    if (firstDelay.isNegative() || maxDelay.compareTo(firstDelay) < 0) {
      throw new IllegalArgumentException(
          "delays must not be negative or shrink, as " + firstDelay + " to " + maxDelay + " do");
    }
  }

  /** The pause after a number of failed attempts. */
  Duration pauseAfter(int failedAttempts) {
    long bound =
        Math.min(maxDelay.toNanos(), firstDelay.toNanos() << Math.min(failedAttempts - 1, 20));
    return bound <= 0
        ? Duration.ZERO
        : Duration.ofNanos(ThreadLocalRandom.current().nextLong(bound + 1));
  }
}
