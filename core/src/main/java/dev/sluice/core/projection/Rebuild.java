package dev.sluice.core.projection;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.SluiceException;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.core.subscription.Subscriptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
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
  private volatile @Nullable Registration running;
  private volatile @Nullable Position begunAt;
  private volatile boolean stopped;

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
   * @param eventsPerSecond the mean rate since the begin, or since it was begun again
   * @param timeLeft the time left at this rate; empty as long as nothing was done
   * @param switched whether the new version answers
   * @param heldUpBy what waits for a person before it can go on, or switch; empty if nothing does
   */
  public record Progress(
      long done,
      long total,
      double eventsPerSecond,
      Optional<Duration> timeLeft,
      boolean switched,
      String heldUpBy) {

    /** One line for people. */
    @Override
    public String toString() {
      return String.format(
          java.util.Locale.ROOT,
          "%,d of %,d events (%d %%), %,.0f/s, %s%s",
          done,
          total,
          total == 0 ? 100 : 100 * done / total,
          eventsPerSecond,
          switched
              ? "switched"
              : timeLeft.map(left -> left.toSeconds() + " s left").orElse("starting"),
          heldUpBy.isEmpty() ? "" : "; held up: " + heldUpBy);
    }
  }

  /** How far it has come. Reads the store: call it once a second, not more. */
  public Progress progress() {
    boolean switched = done.isDone() && !done.isCompletedExceptionally();
    long total = storage.globalLog().count(Position.START, filter);
    List<SubscriptionStatus> partitions = subscriptions.status(subscription.name());
    long left = switched ? 0 : storage.globalLog().count(slowest(partitions), filter);
    // Nothing counts as long as it is not known where it began.
    Position from = begunAt;
    long leftAtBegin = from == null ? left : storage.globalLog().count(from, filter);
    long doneSince = Math.max(0, leftAtBegin - left);
    double rate = doneSince / Math.max(1e-3, (System.nanoTime() - begin) / 1e9);
    Optional<Duration> timeLeft =
        doneSince == 0
            ? Optional.empty()
            : Optional.of(Duration.ofMillis((long) (1_000 * left / rate)));
    return new Progress(total - left, total, rate, timeLeft, switched, heldUpBy(partitions));
  }

  /** With several partitions: where the one is that is furthest behind. */
  private static Position slowest(List<SubscriptionStatus> partitions) {
    return partitions.stream()
        .map(SubscriptionStatus::position)
        .min(Position::compareTo)
        .orElse(Position.START);
  }

  private static String heldUpBy(List<SubscriptionStatus> partitions) {
    List<String> reasons = new ArrayList<>();
    for (SubscriptionStatus each : partitions) {
      if (each.state() == SubscriptionStatus.State.STOPPED) {
        reasons.add("stopped at " + each.detail());
      }
      for (SubscriptionStatus.Parked parked : each.parked()) {
        reasons.add(
            parked.stream() + " is parked at version " + parked.version() + ": " + parked.error());
      }
    }
    return String.join("; ", reasons);
  }

  /**
   * Waits for the switch; false if time was up before.
   *
   * @throws IllegalStateException if it was stopped before, or has failed; the cause says why
   */
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

  /**
   * Stops the subscription of the new version in this process, as the registration of one that was
   * started otherwise does. Before the switch this gives the rebuild up: the old version goes on,
   * and another rebuild goes on from here.
   */
  public void stop() {
    stopped = true;
    Registration registration = running;
    if (registration != null) {
      registration.close();
    }
  }

  void begin() {
    running = subscriptions.start(subscription);
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
                if (isStopped()) {
                  LOG.info(
                      "{} was stopped before it had caught up; the old version goes on, and a"
                          + " rebuild that is started again goes on from here",
                      subscription.name());
                } else {
                  LOG.error("{} can't be built; the old version goes on", subscription.name(), e);
                  stop();
                }
                done.completeExceptionally(e);
              }
            });
  }

  /**
   * Until it is no further behind than what is appended within a moment, and lacks nothing: the
   * events of parked streams count as dealt with otherwise.
   */
  private void catchUp() {
    Duration moment = Duration.ofSeconds(1);
    String said = "";
    while (true) {
      if (isStopped()) {
        throw new IllegalStateException("it was stopped before it had caught up");
      }
      try {
        if (begunAt == null) {
          begunAt = slowest(subscriptions.status(subscription.name()));
        }
        boolean caughtUp = reachesTheHead(moment);
        // Once more: what was appended in the meantime is at most as much as a moment brings.
        caughtUp = caughtUp && reachesTheHead(moment);
        String heldUpBy = heldUpBy(subscriptions.status(subscription.name()));
        if (!heldUpBy.isEmpty() && !heldUpBy.equals(said)) {
          LOG.error(
              "{} can't take over before somebody resumes, skips or replaces what holds it up: {}",
              subscription.name(),
              heldUpBy);
        }
        said = heldUpBy;
        if (caughtUp && heldUpBy.isEmpty()) {
          return;
        }
        if (caughtUp) {
          Thread.sleep(moment);
        }
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      } catch (SluiceException e) {
        LOG.warn("{}: looking how far it is failed; trying again", subscription.name(), e);
      }
    }
  }

  private boolean isStopped() {
    return stopped || subscriptions.isClosed();
  }

  private boolean reachesTheHead(Duration moment) {
    return subscriptions.await(subscription.name(), storage.globalLog().status().head(), moment);
  }
}
