package dev.sluice.core.micrometer;

import dev.sluice.core.SluiceException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Asks the store at most each 5 seconds, since several gauges show parts of one answer. */
final class Remembered<T> {

  private static final long KEPT = TimeUnit.SECONDS.toNanos(5);

  private final Supplier<T> question;
  private Optional<T> answer = Optional.empty();
  private long askedAt = System.nanoTime() - KEPT;

  Remembered(Supplier<T> question) {
    this.question = question;
  }

  /** Empty while the store is away. */
  synchronized Optional<T> get() {
    if (System.nanoTime() - askedAt >= KEPT) {
      try {
        answer = Optional.of(question.get());
      } catch (SluiceException | IllegalStateException e) {
        answer = Optional.empty();
      }
      askedAt = System.nanoTime();
    }
    return answer;
  }
}
