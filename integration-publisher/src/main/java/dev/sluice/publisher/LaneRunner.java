package dev.sluice.publisher;

import dev.sluice.core.Payload;
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
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The thread of one lane: waits for the lease, then runs sessions until the lease is lost. */
final class LaneRunner implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(LaneRunner.class);
  private static final Duration ACQUIRE_INTERVAL = Duration.ofMillis(500);

  /** In lease durations. */
  private static final int STANDS_BACK = 20;

  private final RelaySettings settings;
  private final int lane;
  private final String name;
  private final BooleanSupplier mayAcquire;
  private final BooleanSupplier othersRun;
  private final IntConsumer layout;
  private final Executor readAhead;
  private final Semaphore wakeUp = new Semaphore(0);
  private final Object leaseLock = new Object();

  private volatile boolean closed;
  private volatile boolean released;
  private volatile @Nullable Lease lease;
  private volatile long leaseEnds;
  private @Nullable String lastError;

  private final AtomicInteger failures = new AtomicInteger();

  /** Since when it fails, if it does. */
  private @Nullable Long failingSince;

  /** Until when this process claims no share of the lanes, if it left some to others. */
  private volatile @Nullable Long standsBackUntil;

  LaneRunner(
      RelaySettings settings,
      int lane,
      BooleanSupplier mayAcquire,
      BooleanSupplier othersRun,
      IntConsumer layout,
      Executor readAhead) {
    this.settings = settings;
    this.lane = lane;
    this.name = "lane " + lane + " of relay " + settings.name();
    this.mayAcquire = mayAcquire;
    this.othersRun = othersRun;
    this.layout = layout;
    this.readAhead = readAhead;
  }

  @Override
  public void run() {
    while (!closed) {
      try {
        if (acquire()) {
          try (MessagePublisher.Lane broker = settings.publisher().open(settings.name(), lane)) {
            work(broker);
          }
        } else {
          sleep(ACQUIRE_INTERVAL);
        }
      } catch (LaneFencedException e) {
        // Not by a process that the lease would have kept away.
        settings.meters().failed(lane);
        takenOver(e);
      } catch (LeaseLostException | CheckpointConflictException e) {
        takenOver(e);
      } catch (LaneSealedException e) {
        sealed(e);
        sleep(settings.backoff(failures.incrementAndGet()));
      } catch (OutOfStepException e) {
        // So it would be for everybody, and the owner is who carries the decision out.
        failed(e);
        sleep(settings.backoff(failures.incrementAndGet()));
      } catch (RuntimeException | Error e) {
        // An Error too, such as a missing class: a thread that ended would keep its lease for ever.
        failed(e);
        leaveToOthers();
        sleep(settings.backoff(failures.incrementAndGet()));
      }
    }
    giveUp();
  }

  private void takenOver(RuntimeException e) {
    log.info("{}: taken over by another owner: {}", name, e.getMessage());
    giveUp();
    sleep(ACQUIRE_INTERVAL);
  }

  private void sealed(LaneSealedException e) {
    if (e.isUnfinished()) {
      // Keeping the lease, so that the status shows it; a change that begins gets it back.
      failed(e);
    } else {
      // Without a report: its checkpoint would hold pruning back for a lane that is no more.
      log.info("{}", e.getMessage());
      giveUp();
    }
  }

  /**
   * A process that renews its lease and can't publish, because it doesn't reach the broker, lacks a
   * right, a class or a type, would keep the lane from others for ever. After as long as a lease
   * lasts it leaves the lane to them. It comes back for what nobody has taken, and much later for
   * its share.
   */
  private void leaveToOthers() {
    long lease = settings.leaseDuration().toNanos();
    long now = System.nanoTime();
    Long since = failingSince;
    if (since == null) {
      failingSince = now;
      return;
    }
    // Who doesn't reach the store either has lost the lease by now.
    if (now - since < lease || !othersRun.getAsBoolean() || !hasLease()) {
      return;
    }
    log.warn("{}: left to other processes, as it can't go on here", name);
    giveUp();
    standsBackUntil = now + STANDS_BACK * lease;
    while (!closed && System.nanoTime() - now < lease) {
      sleep(ACQUIRE_INTERVAL);
    }
    failingSince = null;
  }

  private void recovered() {
    failures.set(0);
    failingSince = null;
    standsBackUntil = null;
    if (lastError != null) {
      log.info("{}: goes on", name);
      lastError = null;
    }
  }

  /** How often it failed since it last worked. */
  int failures() {
    return failures.get();
  }

  /** Whether this process should not count where lanes are shared out. */
  boolean standsBack() {
    Long until = standsBackUntil;
    return until != null && System.nanoTime() - until < 0;
  }

  private void work(MessagePublisher.Lane broker) {
    Lease held = lease;
    if (held == null) {
      return;
    }
    LaneSession session =
        new LaneSession(settings, lane, held.token(), broker, readAhead, lastError);
    session.begin();
    layout.accept(session.state().lanes());
    while (holdsLease()) {
      Duration pause = session.step();
      if (session.isAtWork()) {
        recovered();
      }
      if (!pause.isZero()) {
        sleep(pause);
      }
    }
    if (hasLease()) {
      session.end();
      giveUp();
    }
  }

  private boolean holdsLease() {
    return !closed && !released && hasLease();
  }

  private boolean hasLease() {
    return lease != null && System.nanoTime() - leaseEnds < 0;
  }

  private boolean acquire() {
    if (released || isChanging()) {
      // Also where it came to no session that would have given the lane back.
      giveUp();
      released = false;
      return false;
    }
    if (hasLease()) {
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
    // Once more: a change that began in between waits for the leases that it sees.
    if (acquired.isPresent() && isChanging()) {
      giveUp();
      return false;
    }
    return acquired.isPresent();
  }

  private boolean isChanging() {
    // The list is of all names that begin with this one.
    return settings.leases().list(settings.changeName()).stream()
        .anyMatch(change -> change.name().equals(settings.changeName()));
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
    }
    report(error);
  }

  /** For those who ask from other processes, if the store can be reached. */
  private void report(String error) {
    Lease held = lease;
    if (held == null) {
      return;
    }
    try {
      String checkpoint = settings.checkpointName(lane);
      Optional<Checkpoint> last = settings.checkpoints().load(checkpoint);
      // Only lane 0 begins one by itself: that of a lane that isn't in use would hold pruning back.
      boolean reported =
          last.flatMap(before -> LaneReport.of(before).error()).equals(Optional.of(error));
      if (!reported && (last.isPresent() || lane == 0)) {
        Payload report =
            last.map(LaneReport::of)
                .orElse(new LaneReport(Position.START, Optional.empty(), Optional.empty()))
                .withError(error)
                .toPayload();
        settings
            .checkpoints()
            .save(
                last.map(before -> before.next(before.position(), report, held.token()))
                    .orElseGet(
                        () -> Checkpoint.first(checkpoint, Position.START, report, held.token())));
      }
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
