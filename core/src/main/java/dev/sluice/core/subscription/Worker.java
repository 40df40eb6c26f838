package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.Subscription.Consumer;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs one partition for as long as this process owns it, on one thread. All that it knows stands
 * in the checkpoint, so that it can go on wherever another owner has ended.
 */
final class Worker implements Delivery.Control {

  private static final Logger LOG = LoggerFactory.getLogger(Worker.class);

  /** What the names of all checkpoints and leases of subscriptions start with. */
  static final String PREFIX = "subscription/";

  private static final Duration COMMAND_POLL = Duration.ofSeconds(1);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(20);
  private static final Duration MAX_PAUSE_WITHOUT_STORE = Duration.ofSeconds(5);

  private final Storage storage;
  private final Subscription subscription;
  private final Partition partition;
  private final Position start;
  private final String name;
  private final Tail tail;
  private final Consumer consumer;
  private final Cursor cursor;
  private final Feed feed;
  private final Delivery delivery;
  private final ParkedStreams parkedStreams;
  private final Decisions decisions;
  private final Thread thread;

  private final AtomicBoolean woken = new AtomicBoolean();
  private volatile boolean stopping;
  private volatile boolean lost;
  private volatile boolean refused;
  private volatile boolean interrupted;
  private volatile boolean takenOver;
  private volatile String trouble = "";
  private volatile Lease lease;
  private volatile long validUntil;
  private volatile long commandsAt = System.nanoTime();

  // Used by the keeper of the leases only.
  private final long begun = System.nanoTime();
  private boolean warned;

  // Used by the thread only.
  private long timedAt = System.nanoTime();

  Worker(
      Storage storage,
      Subscription subscription,
      Partition partition,
      Position start,
      Tail tail,
      CatchUp catchUp,
      SubscriptionListener listener,
      Runnable onMove,
      Lease lease,
      long validUntil) {
    this.storage = storage;
    this.subscription = subscription;
    this.partition = partition;
    this.start = start;
    this.name = checkpointName(subscription.name(), partition.index());
    this.tail = tail;
    this.lease = lease;
    this.validUntil = validUntil;
    this.consumer = subscription.consumerFor(partition);
    this.cursor =
        new Cursor(
            storage.checkpoints(),
            name,
            () -> this.lease.token(),
            PartitionState.initial(partition.count()),
            onMove);
    this.feed = new Feed(subscription, partition, tail, catchUp);
    this.delivery = new Delivery(subscription, partition, name, consumer, cursor, listener, this);
    this.parkedStreams =
        new ParkedStreams(
            storage.eventStore(), subscription, partition, name, cursor, delivery, listener, this);
    this.decisions =
        new Decisions(
            new Commands(storage.checkpoints(), subscription.name()),
            partition,
            name,
            cursor,
            delivery);
    this.thread = Thread.ofVirtual().name("sluice-" + name).unstarted(this::run);
  }

  static String checkpointName(String subscription, int partition) {
    return PREFIX + subscription + "/" + partition;
  }

  void begin() {
    thread.start();
  }

  Partition partition() {
    return partition;
  }

  Lease lease() {
    return lease;
  }

  /** Up to where events are dealt with. */
  Position position() {
    return cursor.position();
  }

  boolean ended() {
    return !thread.isAlive();
  }

  /** Whether it can't run here as it is defined, so that there is no use in trying again. */
  boolean refused() {
    return refused;
  }

  void renewed(Lease renewed, long until) {
    lease = renewed;
    validUntil = until;
    wake();
  }

  void lost() {
    lost = true;
    wake();
  }

  /** Asks it to end in order, with what the handler is at; returns at once. */
  void stop() {
    stopping = true;
    wake();
  }

  /** Why it can't go on for now; empty if it can, or need not. */
  String trouble() {
    return isStopping() ? "" : trouble;
  }

  /**
   * Says once if the checkpoint can't be had although the lease is held: a store may wait for what
   * the last owner has left open, and nothing else shows that.
   */
  void warnIfStuck(Duration patience) {
    if (!takenOver && !warned && !isStopping() && System.nanoTime() - begun > patience.toNanos()) {
      warned = true;
      LOG.warn(
          "{} has waited {} s for its checkpoint, and goes on waiting; maybe a transaction of its"
              + " last owner is still open",
          name,
          (System.nanoTime() - begun) / 1_000_000_000);
    }
  }

  boolean isLost() {
    return lost;
  }

  boolean isStopping() {
    return stopping || lost;
  }

  @Override
  public boolean goesOn() {
    return !isStopping() && validUntil - System.nanoTime() > 0;
  }

  @Override
  public boolean isInterrupted() {
    return interrupted;
  }

  void wake() {
    woken.set(true);
    tail.wakeAll();
  }

  void lookForCommands() {
    commandsAt = System.nanoTime();
    wake();
  }

  boolean isOn(Thread other) {
    return thread.equals(other);
  }

  boolean join(Duration timeout) throws InterruptedException {
    return thread.join(timeout);
  }

  /** Ends what the handler is at. What it throws from now on is no failure of its event. */
  void interrupt() {
    interrupted = true;
    thread.interrupt();
  }

  private void run() {
    try {
      loop();
      if (!lost) {
        end();
      }
    } catch (InterruptedException e) {
      LOG.warn("{} was interrupted in its handler; its last batch comes again", name);
    } catch (Error e) {
      // Nothing is saved and the lease is left to expire: whoever is next, here or elsewhere, goes
      // on with suspicion, as after a crash.
      LOG.error("{} was ended by an error; it is taken over when its lease has expired", name, e);
    } finally {
      feed.close();
    }
  }

  private void loop() throws InterruptedException {
    int failures = 0;
    while (true) {
      // Before the look at the flags: a wake-up that comes after it must not get lost.
      woken.set(false);
      if (isStopping()) {
        return;
      }
      try {
        if (!cursor.isKnown()) {
          takeOver();
        }
        takenOver = true;
        step();
        failures = 0;
        if (!trouble.isEmpty()) {
          trouble = "";
          LOG.info("{} goes on at {}", name, cursor.position());
        }
      } catch (RuntimeException e) {
        if (interrupted || Thread.currentThread().isInterrupted()) {
          throw new InterruptedException();
        }
        // Whether a save was done is unknown: what counts is loaded again.
        cursor.forget();
        boolean isConflict = e instanceof CheckpointConflictException;
        if (isConflict && isOwnedByAnother()) {
          LOG.warn("{} has another owner by now; this process stops it: {}", name, e.getMessage());
          lost = true;
          continue;
        }
        failures++;
        if (isConflict && failures == 1) {
          // A save of its own, whose reply was lost, looks like this once.
          continue;
        }
        if (trouble.isEmpty()) {
          LOG.warn("{} can't go on for now, and tries again until it can: {}", name, e.toString());
        }
        trouble = e.toString();
        pause(
            Math.min(
                MAX_PAUSE_WITHOUT_STORE.toNanos(),
                Duration.ofMillis(50).toNanos() << Math.min(failures, 10)));
      }
    }
  }

  private boolean isOwnedByAnother() {
    try {
      return cursor.load().filter(stored -> stored.token() > lease.token()).isPresent();
    } catch (RuntimeException e) {
      return false;
    }
  }

  /**
   * Loads the checkpoint and writes this owner's token into it, from which moment on everything
   * that an earlier owner still tries to save is refused.
   */
  private void takeOver() {
    Optional<Checkpoint> stored = cursor.load();
    int begunWith = stored.map(this::partitionsOf).orElseGet(this::partitionsOfFirst);
    if (begunWith != partition.count()) {
      LOG.error("{} {}", name, otherPartitions(begunWith, partition.count()));
      refused = true;
      stopping = true;
      return;
    }
    if (stored.isEmpty()) {
      cursor.begin(start, firstState().withOwned(true));
      return;
    }
    PartitionState found = PartitionState.decode(name, stored.get().state());
    if (stored.get().token() > lease.token()) {
      lost = true;
      return;
    }
    if (stored.get().token() == lease.token()) {
      cursor.accept(stored.get(), found);
      return;
    }
    if (found.owned()) {
      // Maybe an event killed the last owner. Until past what it may have been at, each event is
      // counted as tried before it is tried, so that one that kills is parked in the end.
      delivery.suspect(subscription.batchSize());
      LOG.warn(
          "{} was not left in order by its last owner; it goes on at {}, one event at a time for"
              + " up to {} events",
          name,
          stored.get().position(),
          subscription.batchSize());
    }
    String more = found.notReadBefore(subscription.filter());
    if (!more.isEmpty() && stored.get().position().isAfter(Position.START)) {
      LOG.warn(
          "{} reads more than its last owner did: {}. Such events up to {} were passed and don't"
              + " come; if they are needed, build it anew under another name",
          name,
          more,
          stored.get().position());
    }
    cursor.accept(stored.get(), found);
    cursor.save(found.withOwned(true).withReads(subscription.filter()));
  }

  private int partitionsOf(Checkpoint checkpoint) {
    return PartitionState.decode(checkpoint.name(), checkpoint.state()).partitions();
  }

  /**
   * A partition without a checkpoint: the one of partition 0, which all have, says how many there
   * are. Who stores it first decides, so that of two processes that begin at the same moment with
   * different numbers one is refused.
   */
  private int partitionsOfFirst() {
    if (partition.index() == 0) {
      return partition.count();
    }
    String first = checkpointName(subscription.name(), 0);
    Optional<Checkpoint> decided = storage.checkpoints().load(first);
    if (decided.isPresent()) {
      return partitionsOf(decided.get());
    }
    // With a token below that of any owner. If somebody else was quicker, this is a conflict, after
    // which the partition is taken over once more.
    storage.checkpoints().save(Checkpoint.first(first, start, firstState().encode(), 0));
    return partition.count();
  }

  /** That of a partition which nobody has owned. */
  private PartitionState firstState() {
    return PartitionState.initial(partition.count()).withReads(subscription.filter());
  }

  static String otherPartitions(int begunWith, int wanted) {
    return "was begun with "
        + begunWith
        + " partitions and can't go on with "
        + wanted
        + "; start a subscription of another name, or use the number that it was begun with";
  }

  private void end() {
    try {
      if (cursor.isKnown()) {
        cursor.save(cursor.state().withOwned(false));
      }
    } catch (RuntimeException e) {
      LOG.warn("{} could not save its last checkpoint; its last batch comes again", name, e);
    }
    try {
      storage.leases().release(lease);
    } catch (RuntimeException e) {
      LOG.warn("{} could not give its lease back; it expires at {}", name, lease.expiresAt(), e);
    }
  }

  private void step() throws InterruptedException {
    if (lost || !cursor.isKnown() || !waitForLease()) {
      return;
    }
    if (hasTrouble() && System.nanoTime() - commandsAt >= 0) {
      decisions.apply();
      commandsAt = System.nanoTime() + COMMAND_POLL.toNanos();
    }
    if (cursor.state().hasResumed()) {
      parkedStreams.retry();
    }
    runTimed();
    long wait = cursor.state().stopped() ? COMMAND_POLL.toNanos() : delivery.untilRetry();
    if (wait > 0) {
      pause(Math.min(untilTimed(), Math.min(wait, COMMAND_POLL.toNanos())));
      return;
    }
    LogPage page = feed.after(cursor.position());
    if (page.next().isAfter(cursor.position())) {
      delivery.deliver(page);
    } else {
      idle();
    }
  }

  private boolean hasTrouble() {
    return cursor.state().failing().isPresent() || !cursor.state().parked().isEmpty();
  }

  /** Without a valid lease somebody else may be at it; nothing is begun until it is renewed. */
  private boolean waitForLease() throws InterruptedException {
    if (validUntil - System.nanoTime() > 0) {
      return true;
    }
    pause(TimeUnit.SECONDS.toNanos(1));
    return false;
  }

  private void idle() throws InterruptedException {
    long wait = Math.min(TimeUnit.MINUTES.toNanos(1), cursor.untilSave());
    if (wait <= 0) {
      cursor.save(cursor.state());
      return;
    }
    if (hasTrouble()) {
      wait = Math.min(wait, COMMAND_POLL.toNanos());
    }
    wait = Math.min(wait, untilTimed());
    wait = Math.min(wait, validUntil - System.nanoTime());
    if (tail.start().isAfter(cursor.position())) {
      // The log ends, for now, before what the tail has in memory: no event there would end a wait.
      pause(Math.min(wait, BETWEEN_LOOKS.toNanos()));
    } else {
      tail.await(cursor.position(), woken, Math.max(0, wait));
    }
  }

  private long untilTimed() {
    if (consumer instanceof Consumer.One one && one.handler() instanceof TimedHandler timed) {
      Instant now = Instant.now();
      Instant next = timed.nextTime();
      // The times at the ends of the scale are too far away to be counted in nanoseconds.
      if (next.isBefore(now.plus(Duration.ofMinutes(1)))) {
        long left = next.isAfter(now) ? Duration.between(now, next).toNanos() : 0;
        return Math.max(left, timedAt - System.nanoTime());
      }
    }
    return Long.MAX_VALUE;
  }

  private void runTimed() {
    if (consumer instanceof Consumer.One one && one.handler() instanceof TimedHandler timed) {
      Instant now = Instant.now();
      if (!timed.nextTime().isAfter(now) && System.nanoTime() - timedAt >= 0) {
        try {
          timed.onTime(now, cursor.position(), cursor.complete());
        } catch (StoreUnavailableException e) {
          throw e;
        } catch (RuntimeException e) {
          LOG.warn("{} failed at what was due; it is tried again in a second", name, e);
          timedAt = System.nanoTime() + COMMAND_POLL.toNanos();
        }
      }
    }
  }

  private void pause(long nanos) throws InterruptedException {
    // Nothing lies behind the last of all positions, so that only a wake-up ends it early.
    tail.await(new Position(Long.MAX_VALUE), woken, Math.max(0, nanos));
  }
}
