package dev.sluice.core.projection;

import dev.sluice.core.Position;
import dev.sluice.core.SluiceException;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.core.subscription.Subscriptions;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A view that is being made anew. Safe for use by any number of threads. */
public final class Rebuild {

  private static final Logger LOG = LoggerFactory.getLogger(Rebuild.class);

  private final Storage storage;
  private final Subscriptions subscriptions;
  private final Subscription subscription;
  private final EventFilter filter;
  private final Runnable switchOver;
  private final CompletableFuture<Boolean> done = new CompletableFuture<>();
  private final long begin = System.nanoTime();

  Rebuild(
      Storage storage,
      Subscriptions subscriptions,
      Subscription subscription,
      EventFilter filter,
      Runnable switchOver) {
    this.storage = storage;
    this.subscriptions = subscriptions;
    this.subscription = subscription;
    this.filter = filter;
    this.switchOver = switchOver;
  }

  /**
   * How far a rebuild has come.
   *
   * @param done how many events were dealt with
   * @param total how many there are by now
   * @param eventsPerSecond the mean rate since the begin
   * @param timeLeft the time left at this rate; empty as long as nothing was done
   * @param switched whether the new version answers
   */
  public record Progress(
      long done,
      long total,
      double eventsPerSecond,
      Optional<Duration> timeLeft,
      boolean switched) {

    /** One line for people. */
    @Override
    public String toString() {
      return String.format(
          java.util.Locale.ROOT,
          "%,d of %,d events (%d %%), %,.0f/s, %s",
          done,
          total,
          total == 0 ? 100 : 100 * done / total,
          eventsPerSecond,
          switched
              ? "switched"
              : timeLeft.map(left -> left.toSeconds() + " s left").orElse("starting"));
    }
  }

  /** How far it has come. Reads the store: call it once a second, not more. */
  public Progress progress() {
    boolean switched = done.getNow(false);
    long total = storage.globalLog().count(Position.START, filter);
    // With several partitions: the one that is furthest behind.
    Position slowest =
        subscriptions.status().stream()
            .filter(status -> status.subscription().equals(subscription.name()))
            .map(SubscriptionStatus::position)
            .min(Position::compareTo)
            .orElse(Position.START);
    long left = switched ? 0 : storage.globalLog().count(slowest, filter);
    double rate = (total - left) / Math.max(1e-3, (System.nanoTime() - begin) / 1e9);
    Optional<Duration> timeLeft =
        total - left == 0
            ? Optional.empty()
            : Optional.of(Duration.ofMillis((long) (1_000 * left / rate)));
    return new Progress(total - left, total, rate, timeLeft, switched);
  }

  /** Waits for the switch; false if time was up before. */
  public boolean await(Duration timeout) {
    try {
      return done.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      throw new IllegalStateException("the rebuild of " + subscription.name() + " ended", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  void begin() {
    var running = subscriptions.start(subscription);
    LOG.info(
        "{} is being built; the old version answers until it has caught up", subscription.name());
    Thread.ofVirtual()
        .name("sluice-rebuild-" + subscription.name())
        .start(
            () -> {
              try {
                catchUp();
                switchOver.run();
                LOG.info("{} has caught up and answers from now on", subscription.name());
                done.complete(true);
              } catch (RuntimeException e) {
                LOG.error("{} can't be built; the old version goes on", subscription.name(), e);
                running.close();
                done.completeExceptionally(e);
              }
            });
  }

  /** Until it is no further behind than what is appended within a moment. */
  private void catchUp() {
    Duration moment = Duration.ofSeconds(1);
    while (true) {
      try {
        Position head = storage.globalLog().status().head();
        while (!subscriptions.await(subscription.name(), head, moment)) {
          if (subscriptions.isClosed()) {
            throw new IllegalStateException("the subscriptions were closed");
          }
        }
        if (subscriptions.await(subscription.name(), storage.globalLog().status().head(), moment)) {
          return;
        }
      } catch (SluiceException e) {
        LOG.warn("{}: looking how far it is failed; trying again", subscription.name(), e);
      }
    }
  }
}
