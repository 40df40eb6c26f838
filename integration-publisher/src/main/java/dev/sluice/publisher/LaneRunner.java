package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.outbox.LaneFencedException;
import dev.sluice.core.outbox.MessagePublisher;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The thread of one lane: waits for the lease, then runs sessions until the lease is lost. */
final class LaneRunner implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(LaneRunner.class);
  private static final Duration ACQUIRE_INTERVAL = Duration.ofMillis(500);

  private final RelaySettings settings;
  private final int lane;
  private final String name;
  private final BooleanSupplier mayAcquire;
  private final IntConsumer layout;
  private final Executor readAhead;
  private final Semaphore wakeUp = new Semaphore(0);
  private final Object leaseLock = new Object();

  private volatile boolean closed;
  private volatile boolean released;
  private volatile @Nullable Lease lease;
  private volatile long leaseEnds;
  private @Nullable String lastError;

  LaneRunner(
      RelaySettings settings,
      int lane,
      BooleanSupplier mayAcquire,
      IntConsumer layout,
      Executor readAhead) {
    this.settings = settings;
    this.lane = lane;
    this.name = "lane " + lane + " of relay " + settings.name();
    this.mayAcquire = mayAcquire;
    this.layout = layout;
    this.readAhead = readAhead;
  }

  @Override
  public void run() {
    int failures = 0;
    while (!closed) {
      try {
        if (acquire()) {
          try (MessagePublisher.Lane broker = settings.publisher().open(settings.name(), lane)) {
            work(broker);
          }
        } else {
          sleep(ACQUIRE_INTERVAL);
        }
        failures = 0;
      } catch (LaneFencedException | LeaseLostException | CheckpointConflictException e) {
        log.info("{}: taken over by another owner: {}", name, e.getMessage());
        giveUp();
        sleep(ACQUIRE_INTERVAL);
      } catch (LaneSealedException e) {
        // Without a report: its checkpoint would hold pruning back for a lane that is no more.
        log.info("{}", e.getMessage());
        giveUp();
        sleep(settings.backoff(++failures));
      } catch (RuntimeException | Error e) {
        // An Error too, such as a missing class: a thread that ended would keep its lease for ever.
        failed(e);
        sleep(settings.backoff(++failures));
      }
    }
    giveUp();
  }

  private void work(MessagePublisher.Lane broker) {
    Lease held = lease;
    if (held == null) {
      return;
    }
    LaneSession session = new LaneSession(settings, lane, held.token(), broker, readAhead);
    session.begin();
    layout.accept(session.state().lanes());
    if (lastError != null) {
      log.info("{}: goes on", name);
      lastError = null;
    }
    while (holdsLease()) {
      Duration pause = session.step();
      if (!pause.isZero()) {
        sleep(pause);
      }
    }
    if (lease != null && System.nanoTime() - leaseEnds < 0) {
      session.end();
      giveUp();
    }
  }

  private boolean holdsLease() {
    return !closed && !released && lease != null && System.nanoTime() - leaseEnds < 0;
  }

  private boolean acquire() {
    if (!settings.leases().list(settings.changeName()).isEmpty()) {
      giveUp();
      return false;
    }
    if (lease != null && System.nanoTime() - leaseEnds < 0) {
      return true;
    }
    if (!mayAcquire.getAsBoolean()) {
      return false;
    }
    // The end is counted from before the call: the store's count begins later.
    long ends = System.nanoTime() + settings.leaseDuration().toNanos();
    Optional<Lease> acquired =
        settings
            .leases()
            .acquire(settings.leaseName(lane), settings.owner(), settings.leaseDuration());
    synchronized (leaseLock) {
      lease = acquired.orElse(null);
      leaseEnds = ends;
      released = false;
    }
    return acquired.isPresent();
  }

  /** Called from time to time by the relay's timer. */
  void renew() {
    synchronized (leaseLock) {
      Lease held = lease;
      if (held == null) {
        return;
      }
      long ends = System.nanoTime() + settings.leaseDuration().toNanos();
      try {
        lease = settings.leases().renew(held, settings.leaseDuration());
        leaseEnds = ends;
      } catch (LeaseLostException e) {
        lease = null;
        wakeUp.release();
      }
    }
  }

  boolean owns() {
    return lease != null;
  }

  /** Gives the lane to another process, after the batch that is under way. */
  void release() {
    released = true;
    wakeUp.release();
  }

  void signal() {
    if (wakeUp.availablePermits() == 0) {
      wakeUp.release();
    }
  }

  void close() {
    closed = true;
    wakeUp.release();
  }

  private void giveUp() {
    synchronized (leaseLock) {
      Lease held = lease;
      lease = null;
      if (held != null) {
        try {
          settings.leases().release(held);
        } catch (RuntimeException e) {
          log.debug("{}: the lease expires by itself: {}", name, e.getMessage());
        }
      }
    }
  }

  private void failed(Throwable failure) {
    String message = failure.getMessage();
    String error = message == null ? failure.toString() : message;
    settings.meters().failed(lane);
    if (!error.equals(lastError)) {
      // Once, not at every attempt.
      lastError = error;
      log.error("{} waits and tries again: {}", name, error, failure);
      report(error);
    }
  }

  /** For those who ask from other processes, if the store can be reached. */
  private void report(String error) {
    Lease held = lease;
    if (held == null) {
      return;
    }
    try {
      String checkpoint = settings.checkpointName(lane);
      Checkpoint next =
          settings
              .checkpoints()
              .load(checkpoint)
              .map(
                  last ->
                      last.next(
                          last.position(),
                          LaneReport.of(last).withError(error).toPayload(),
                          held.token()))
              .orElseGet(
                  () ->
                      Checkpoint.first(
                          checkpoint,
                          Position.START,
                          new LaneReport(Position.START, Optional.empty(), Optional.of(error))
                              .toPayload(),
                          held.token()));
      settings.checkpoints().save(next);
    } catch (RuntimeException e) {
      log.debug("{}: can't leave the error in the checkpoint: {}", name, e.getMessage());
    }
  }

  private void sleep(Duration pause) {
    try {
      if (!closed && wakeUp.tryAcquire(pause.toNanos(), TimeUnit.NANOSECONDS)) {
        wakeUp.drainPermits();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      closed = true;
    }
  }
}
