package dev.sluice.tck;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.junit.jupiter.api.Assertions;

/** Waits for what a store does by itself in its own time, with a bound. */
final class Await {

  private static final Duration BOUND = Duration.ofSeconds(90);

  private Await() {}

  static void until(BooleanSupplier condition, Supplier<String> orElse) {
    long end = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        Assertions.fail(orElse.get() + ", not even after " + BOUND.toSeconds() + " s");
      }
      LockSupport.parkNanos(1_000_000);
    }
  }
}
