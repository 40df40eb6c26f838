package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.Storage;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the subscriptions of one process on one store: one of these for each storage. Each partition
 * of each subscription runs in one process at a time; the processes that start the same
 * subscription share its partitions evenly and take over from those that die.
 *
 * <p>Together they read the end of the log once, so that idle subscriptions cost a few small
 * queries a second and at most two connections, however many there are: one for the log, one for
 * the leases. A subscription that is behind takes one more while it catches up.
 *
 * <p><b>Threads.</b> Safe for use by any number of threads. Handlers run on virtual threads.
 */
public final class Subscriptions implements AutoCloseable {

  static final String RESUME = "resume";
  static final String SKIP = "skip";
  static final String REPLACE = "replace";

  private static final Logger LOG = LoggerFactory.getLogger(Subscriptions.class);

  private final Storage storage;
  private final Duration leaseDuration;
  private final Tail tail;
  private final Running.Shared shared;
  private final Registration hints;
  private final Thread owner;
  private final Map<String, Running> running = new ConcurrentHashMap<>();
  private final Object moved = new Object();
  private final AtomicInteger waiting = new AtomicInteger();
  private final Object tick = new Object();
  private boolean ticked;
  private volatile boolean closed;

  private Subscriptions(Builder builder) {
    this.storage = builder.storage;
    this.leaseDuration = builder.leaseDuration;
    this.tail = new Tail(storage.globalLog(), builder.instance);
    this.shared =
        new Running.Shared(
            storage,
            builder.instance,
            builder.leaseDuration,
            builder.stopTimeout,
            new Listeners(builder.listeners),
            tail,
            this::onMove);
    this.owner =
        Thread.ofPlatform().daemon().name("sluice-owner-" + builder.instance).unstarted(this::own);
    tail.begin();
    this.hints = storage.globalLog().onAppend(tail::hint);
    owner.start();
  }

  /** With the defaults. */
  public static Subscriptions of(Storage storage) {
    return builder(storage).build();
  }

  /** Starts a choice of settings. */
  public static Builder builder(Storage storage) {
    return new Builder(storage);
  }

  /**
   * Starts a subscription in this process; it runs here as far as other processes do not run it
   * already. Returns at once; one that starts {@linkplain Subscription.Builder#fromNow from now}
   * asks the store first where that is.
   *
   * @return stops it in this process, in order: what the handler is at is finished and its
   *     checkpoint saved; a handler that calls this itself is not waited for
   * @throws IllegalArgumentException if one of this name was started here before
   * @throws dev.sluice.core.StoreUnavailableException if it starts from now, and the store can't be
   *     reached; it was not started
   */
  public Registration start(Subscription subscription) {
    if (closed) {
      throw new IllegalStateException("these subscriptions are closed");
    }
    Running started = new Running(shared, subscription, startOf(subscription));
    if (running.putIfAbsent(subscription.name(), started) != null) {
      throw new IllegalArgumentException(
          "the subscription '" + subscription.name() + "' runs already in this process");
    }
    tickNow();
    return () -> {
      if (running.get(subscription.name()) == started) {
        started.stopAll(Thread.currentThread());
        running.remove(subscription.name(), started);
        started.releaseMembership();
      }
    };
  }

  /** Found out before it runs: what is appended after its start has returned belongs to it. */
  private Position startOf(Subscription subscription) {
    return switch (subscription.start()) {
      case Subscription.Start.At at -> at.position();
      case Subscription.Start.Now now -> storage.globalLog().status().head();
    };
  }

  /**
   * Waits until a subscription has dealt with everything up to a position, wherever it runs: to
   * read your own writes, pass the position that the append returned. Events of parked streams
   * count as dealt with; see {@link #status}.
   *
   * @return whether it has; false when time was up, with a warning in the log if nothing is known
   *     of a subscription of this name
   */
  public boolean await(String subscription, Position position, Duration timeout) {
    long until = System.nanoTime() + timeout.toNanos();
    long poll = TimeUnit.MILLISECONDS.toNanos(5);
    waiting.incrementAndGet();
    try {
      for (; ; ) {
        Optional<Boolean> local = reachedHere(subscription, position);
        if (local.orElseGet(() -> reachedAnywhere(subscription, position))) {
          return true;
        }
        long left = until - System.nanoTime();
        if (left <= 0) {
          warnIfUnknown(subscription);
          return false;
        }
        // Where all is owned here, each move wakes this; otherwise the store is asked.
        long pause = local.isPresent() ? TimeUnit.MILLISECONDS.toNanos(100) : poll;
        poll = Math.min(poll * 2, TimeUnit.MILLISECONDS.toNanos(50));
        synchronized (moved) {
          if (!reachedHere(subscription, position).orElse(false)) {
            TimeUnit.NANOSECONDS.timedWait(moved, Math.max(1, Math.min(left, pause)));
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      waiting.decrementAndGet();
    }
  }

  /** A name that is wrong looks like one that is slow. */
  private void warnIfUnknown(String subscription) {
    if (!running.containsKey(subscription) && checkpointsOf(subscription).isEmpty()) {
      LOG.warn(
          "Nothing is known of a subscription '{}', neither here nor in the store, which has {}",
          subscription,
          storage.checkpoints().list(Worker.PREFIX).stream()
              .map(each -> each.name().substring(Worker.PREFIX.length()))
              .map(name -> name.substring(0, name.lastIndexOf('/')))
              .distinct()
              .toList());
    }
  }

  private Optional<Boolean> reachedHere(String subscription, Position position) {
    Running here = running.get(subscription);
    if (here == null) {
      return Optional.empty();
    }
    // One that has lost its lease, or hands it over, may hang in its handler while another goes on.
    List<Worker> workers =
        here.workers().values().stream().filter(worker -> !worker.isStopping()).toList();
    if (workers.size() < here.subscription().partitions()) {
      return Optional.empty();
    }
    return Optional.of(workers.stream().noneMatch(worker -> position.isAfter(worker.position())));
  }

  private boolean reachedAnywhere(String subscription, Position position) {
    List<Checkpoint> checkpoints = checkpointsOf(subscription);
    if (checkpoints.isEmpty()) {
      return false;
    }
    Checkpoint first = checkpoints.getFirst();
    int partitions = PartitionState.decode(first.name(), first.state()).partitions();
    return checkpoints.size() == partitions
        && checkpoints.stream().noneMatch(each -> position.isAfter(each.position()));
  }

  private List<Checkpoint> checkpointsOf(String subscription) {
    return storage.checkpoints().list(Worker.PREFIX + subscription + "/");
  }

  /**
   * How each partition of each subscription that was started here is doing, wherever it runs. For
   * displays and alarms: it reads the store a few times.
   */
  public List<SubscriptionStatus> status() {
    return status(
        running.values().stream()
            .sorted(Comparator.comparing(each -> each.subscription().name()))
            .toList());
  }

  /** Like {@link #status()}, of one subscription; empty if it was not started here. */
  public List<SubscriptionStatus> status(String subscription) {
    Running one = running.get(subscription);
    return one == null ? List.of() : status(List.of(one));
  }

  private List<SubscriptionStatus> status(List<Running> wanted) {
    StatusReader reader = new StatusReader(storage);
    List<SubscriptionStatus> all = new ArrayList<>();
    for (Running each : wanted) {
      for (int i = 0; i < each.subscription().partitions(); i++) {
        all.add(reader.read(each.subscription(), i, Optional.ofNullable(each.workers().get(i))));
      }
    }
    return all;
  }

  /**
   * Forgets how far a subscription has come, and what was parked in it, once it runs nowhere any
   * more: such as that of a view's old version. If it is started again, it starts anew. Of one that
   * nothing is known of it only warns, in the log, so that it can be repeated.
   *
   * @throws IllegalStateException if it runs, here or elsewhere; nothing was forgotten
   */
  public void forget(String subscription) {
    String prefix = Worker.PREFIX + subscription + "/";
    if (running.containsKey(subscription) || !storage.leases().list(prefix).isEmpty()) {
      throw new IllegalStateException(
          "the subscription '" + subscription + "' still runs; stop it in each process");
    }
    warnIfUnknown(subscription);
    checkpointsOf(subscription).forEach(each -> storage.checkpoints().delete(each.name()));
    new Commands(storage.checkpoints(), subscription).forget();
  }

  /**
   * Tries again what has parked a stream, or stopped the subscription at an event of it. Returns
   * when the order is stored; the owner, in whichever process, follows within a second.
   *
   * @param who who decides, for the record
   * @param why for what reason, for the record
   * @throws IllegalArgumentException if nothing waits there
   */
  public void resume(String subscription, StreamId stream, String who, String why) {
    command(RESUME, subscription, stream, who, why, Optional.empty());
  }

  /**
   * Gives up the one event that has parked a stream, or stopped the subscription, and goes on with
   * the next one.
   *
   * @see #resume
   */
  public void skip(String subscription, StreamId stream, String who, String why) {
    command(SKIP, subscription, stream, who, why, Optional.empty());
  }

  /**
   * Gives the handler another event in place of the one that has parked a stream, or stopped the
   * subscription, and goes on. What is stored stays as it is.
   *
   * @see #resume
   */
  public void replace(
      String subscription,
      StreamId stream,
      EventCodec codec,
      DomainEvent with,
      String who,
      String why) {
    command(
        REPLACE,
        subscription,
        stream,
        who,
        why,
        Optional.of(new PartitionState.Replacement(codec.typeOf(with), codec.encode(with))));
  }

  private void command(
      String what,
      String subscription,
      StreamId stream,
      String who,
      String why,
      Optional<PartitionState.Replacement> replacement) {
    if (who.isBlank() || why.isBlank()) {
      throw new IllegalArgumentException("say who decides to " + what + " " + stream + ", and why");
    }
    long version =
        checkpointsOf(subscription).stream()
            .map(stored -> PartitionState.decode(stored.name(), stored.state()))
            .map(
                state ->
                    state
                        .failing()
                        .filter(event -> event.stream().equals(stream))
                        .orElse(state.parked().get(stream)))
            .filter(failing -> failing != null)
            .map(failing -> failing.version())
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "no event of "
                            + stream
                            + " waits for a decision in the subscription '"
                            + subscription
                            + "'; look at its status"));
    new Commands(storage.checkpoints(), subscription)
        .add(
            new SubscriptionStatus.Decision(what, stream, version, who, why, Instant.now()),
            replacement);
    Running here = running.get(subscription);
    if (here != null) {
      here.workers().values().forEach(Worker::lookForCommands);
    }
  }

  /**
   * Stops all of them in order: what handlers are at is finished, up to the stop time-out, after
   * which they are interrupted; checkpoints are saved and leases given back. A handler that calls
   * this itself is not waited for. The storage stays open.
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    hints.close();
    // Side by side: each keeps its own leases until its last handler is done.
    Thread caller = Thread.currentThread();
    try (ExecutorService all = Executors.newVirtualThreadPerTaskExecutor()) {
      running.values().forEach(each -> all.execute(() -> each.stopAll(caller)));
    }
    tickNow();
    try {
      owner.join(Duration.ofSeconds(5));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    running.values().forEach(Running::releaseMembership);
    tail.close();
  }

  /** Whether {@link #close} was called. */
  public boolean isClosed() {
    return closed;
  }

  private void onMove() {
    if (waiting.get() > 0) {
      synchronized (moved) {
        moved.notifyAll();
      }
    }
  }

  private void tickNow() {
    synchronized (tick) {
      ticked = true;
      tick.notifyAll();
    }
  }

  /**
   * One that fails must not take the leases from the others.
   *
   * @return what the first one failed with; null if none did
   */
  private @Nullable Throwable tickAll() {
    Throwable first = null;
    for (Running each : running.values()) {
      try {
        if (!closed) {
          each.tick();
        }
      } catch (RuntimeException | Error e) {
        first = first == null ? e : first;
      }
    }
    return first;
  }

  /** Acquires, renews and hands over leases. */
  private void own() {
    boolean failed = false;
    while (!closed) {
      Throwable failure = tickAll();
      if (failure != null && !failed && !closed) {
        LOG.warn("Leases can't be kept for now; trying again until they can", failure);
      }
      failed = failure != null;
      try {
        synchronized (tick) {
          if (!ticked) {
            tick.wait(Math.max(1, leaseDuration.toMillis() / 20));
          }
          ticked = false;
        }
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  /** Collects settings. Not safe for concurrent use. */
  public static final class Builder {

    private final Storage storage;
    private final List<SubscriptionListener> listeners = new ArrayList<>();
    private String instance =
        ProcessHandle.current().pid() + "-" + UUID.randomUUID().toString().substring(0, 8);
    private Duration leaseDuration = Duration.ofSeconds(10);
    private Duration stopTimeout = Duration.ofSeconds(30);

    private Builder(Storage storage) {
      this.storage = storage;
    }

    /**
     * What this process is called in leases and status: 1 to 60 chars, different for each process.
     * The process id and some random digits by default.
     */
    public Builder instance(String instance) {
      if (instance.isEmpty() || instance.length() > 60) {
        throw new IllegalArgumentException("an instance's name has 1 to 60 chars");
      }
      this.instance = instance;
      return this;
    }

    /** After how long another process takes over from one that died; 10 seconds by default. */
    public Builder leaseDuration(Duration leaseDuration) {
      if (leaseDuration.compareTo(Duration.ofMillis(100)) < 0) {
        throw new IllegalArgumentException(
            "a lease of " + leaseDuration + " can't be kept; use 100 ms or more");
      }
      this.leaseDuration = leaseDuration;
      return this;
    }

    /** How long a stop waits for a handler before it interrupts it; 30 seconds by default. */
    public Builder stopTimeout(Duration stopTimeout) {
      this.stopTimeout = stopTimeout;
      return this;
    }

    /** Adds one who is told what happens, such as meters. */
    public Builder listener(SubscriptionListener listener) {
      listeners.add(listener);
      return this;
    }

    /** Builds the runner, ready to start subscriptions. */
    public Subscriptions build() {
      return new Subscriptions(this);
    }
  }
}
