package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.SluiceException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.LogStatus;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.PartitionState.Failing;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Collectors;
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
  private static final String PREFIX = "subscription/";

  private final Storage storage;
  private final String instance;
  private final Duration leaseDuration;
  private final Duration stopTimeout;
  private final SubscriptionListener listener;
  private final Tail tail;
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
    this.instance = builder.instance;
    this.leaseDuration = builder.leaseDuration;
    this.stopTimeout = builder.stopTimeout;
    this.listener = new Listeners(builder.listeners);
    this.tail = new Tail(storage.globalLog(), instance);
    this.owner = Thread.ofPlatform().daemon().name("sluice-owner-" + instance).unstarted(this::own);
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
   * already. Returns at once.
   *
   * @return stops it in this process, in order: what the handler is at is finished and its
   *     checkpoint saved
   * @throws IllegalArgumentException if one of this name was started here before
   */
  public Registration start(Subscription subscription) {
    if (closed) {
      throw new IllegalStateException("these subscriptions are closed");
    }
    Running started = new Running(subscription);
    if (running.putIfAbsent(subscription.name(), started) != null) {
      throw new IllegalArgumentException(
          "the subscription '" + subscription.name() + "' runs already in this process");
    }
    tickNow();
    return () -> {
      if (running.get(subscription.name()) == started) {
        started.stopAll();
        running.remove(subscription.name(), started);
        started.releaseMembership();
      }
    };
  }

  /**
   * Waits until a subscription has dealt with everything up to a position, wherever it runs: to
   * read your own writes, pass the position that the append returned. Events of parked streams
   * count as dealt with; see {@link #status}.
   *
   * @return whether it has; false when time was up
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

  private Optional<Boolean> reachedHere(String subscription, Position position) {
    Running here = running.get(subscription);
    if (here == null) {
      return Optional.empty();
    }
    Collection<Worker> workers = here.workers.values();
    if (workers.size() < here.subscription.partitions()) {
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
    return storage.checkpoints().list(PREFIX + subscription + "/");
  }

  /**
   * How each partition of each subscription that was started here is doing, wherever it runs. For
   * displays and alarms: it reads the store a few times.
   */
  public List<SubscriptionStatus> status() {
    Map<String, Lease> leases =
        storage.leases().list(PREFIX).stream().collect(Collectors.toMap(Lease::name, x -> x));
    LogStatus log = storage.globalLog().status();
    List<SubscriptionStatus> all = new ArrayList<>();
    for (Running each : running.values().stream().sorted(Running::byName).toList()) {
      for (int i = 0; i < each.subscription.partitions(); i++) {
        all.add(status(each, i, leases, log));
      }
    }
    return all;
  }

  private SubscriptionStatus status(
      Running each, int index, Map<String, Lease> leases, LogStatus log) {
    String name = Worker.checkpointName(each.subscription.name(), index);
    Optional<Checkpoint> stored = storage.checkpoints().load(name);
    PartitionState state =
        stored
            .map(checkpoint -> PartitionState.decode(name, checkpoint.state()))
            .orElse(PartitionState.initial(each.subscription.partitions()));
    Position position = stored.map(Checkpoint::position).orElse(Position.START);
    Worker here = each.workers.get(index);
    if (here != null) {
      position = Position.max(position, here.position());
    }
    Partition partition = new Partition(index, each.subscription.partitions());
    EventFilter filter = each.subscription.filter();
    // With several partitions or one stream this counts also what belongs to others.
    long lag = log.head().isAfter(position) ? storage.globalLog().count(position, filter) : 0;
    Duration age = Duration.ZERO;
    if (lag > 0) {
      List<RecordedEvent> oldest = storage.globalLog().read(position, filter, 1).events();
      age =
          oldest.isEmpty()
              ? Duration.ZERO
              : Duration.between(oldest.getFirst().time(), Instant.now());
    }
    Optional<String> by = Optional.ofNullable(leases.get(name)).map(Lease::owner);
    SubscriptionStatus.State now;
    String detail = "";
    if (by.isEmpty()) {
      now = SubscriptionStatus.State.NO_OWNER;
    } else if (state.stopped()) {
      now = SubscriptionStatus.State.STOPPED;
      detail = state.failing().map(Subscriptions::describe).orElse("");
    } else if (state.failing().isPresent()) {
      now = SubscriptionStatus.State.RETRYING;
      detail = describe(state.failing().get());
    } else if (lag > 0) {
      now = SubscriptionStatus.State.CATCHING_UP;
    } else if (log.heldBackBy().isPresent()) {
      now = SubscriptionStatus.State.WAITING_FOR_COMMIT;
      LogStatus.OpenAppend open = log.heldBackBy().get();
      detail = open.who() + ", since " + open.since();
    } else {
      now =
          state.parked().isEmpty()
              ? SubscriptionStatus.State.RUNNING
              : SubscriptionStatus.State.PARKED;
    }
    return new SubscriptionStatus(
        each.subscription.name(),
        partition,
        now,
        by,
        position,
        lag,
        age.isNegative() ? Duration.ZERO : age,
        detail,
        state.parked().values().stream()
            .map(
                parked ->
                    new SubscriptionStatus.Parked(
                        parked.stream(),
                        parked.version(),
                        parked.attempts(),
                        parked.error(),
                        parked.since()))
            .toList(),
        state.decisions());
  }

  private static String describe(Failing failing) {
    return failing.stream()
        + ", version "
        + failing.version()
        + ", try "
        + failing.attempts()
        + ": "
        + failing.error();
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
      here.workers.values().forEach(Worker::lookForCommands);
    }
  }

  /**
   * Stops all of them in order: what handlers are at is finished, up to the stop time-out, after
   * which they are interrupted; checkpoints are saved and leases given back. The storage stays
   * open.
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    hints.close();
    running.values().forEach(each -> each.workers.values().forEach(Worker::stop));
    running.values().forEach(Running::stopAll);
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

  /** One that fails must not take the leases from the others. */
  private void tickAll() {
    RuntimeException first = null;
    for (Running each : running.values()) {
      try {
        each.tick();
      } catch (RuntimeException e) {
        first = first == null ? e : first;
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** Acquires, renews and hands over leases. */
  private void own() {
    boolean failed = false;
    while (!closed) {
      try {
        tickAll();
        failed = false;
      } catch (RuntimeException e) {
        if (!failed && !closed) {
          failed = true;
          LOG.warn("Leases can't be kept for now; trying again until they can: {}", e.toString());
        }
      }
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

  /** One subscription in this process. */
  private final class Running {

    private final Subscription subscription;
    private final CatchUp catchUp;
    private final Map<Integer, Worker> workers = new ConcurrentHashMap<>();
    private final Map<Integer, Long> renewAt = new HashMap<>();
    private final String memberName;
    private @Nullable Lease membership;
    private long renewMembershipAt;
    private long lookAt = System.nanoTime();
    private volatile boolean stopped;

    Running(Subscription subscription) {
      this.subscription = subscription;
      this.catchUp = new CatchUp(storage, subscription);
      this.memberName = PREFIX + subscription.name() + "/member/" + instance;
    }

    static int byName(Running a, Running b) {
      return a.subscription.name().compareTo(b.subscription.name());
    }

    synchronized void tick() {
      if (stopped || closed) {
        return;
      }
      workers.values().removeIf(worker -> worker.ended() && !worker.refused());
      renew();
      long now = System.nanoTime();
      if (now - lookAt >= 0) {
        lookAt = now + leaseDuration.toNanos() / 5;
        if (subscription.partitions() > 1) {
          joinIn();
          share();
        } else if (workers.isEmpty()) {
          acquire(0);
        }
      }
    }

    /** Renewed when half of the time is over, so that one lost try does not matter. */
    private void renew() {
      for (Map.Entry<Integer, Worker> entry : workers.entrySet()) {
        Worker worker = entry.getValue();
        long now = System.nanoTime();
        // One that is being handed over keeps its lease until its handler is done.
        if (worker.isLost()
            || worker.refused()
            || worker.ended()
            || now - renewAt.getOrDefault(entry.getKey(), now) < 0) {
          continue;
        }
        try {
          Lease renewed = storage.leases().renew(worker.lease(), leaseDuration);
          worker.renewed(renewed, now + leaseDuration.toNanos());
          renewAt.put(entry.getKey(), now + leaseDuration.toNanos() / 2);
        } catch (LeaseLostException e) {
          LOG.warn("{}", e.getMessage());
          worker.lost();
        }
      }
    }

    private void acquire(int index) {
      long now = System.nanoTime();
      Optional<Lease> lease =
          storage
              .leases()
              .acquire(Worker.checkpointName(subscription.name(), index), instance, leaseDuration);
      if (lease.isEmpty()) {
        return;
      }
      Worker worker =
          new Worker(
              storage,
              subscription,
              new Partition(index, subscription.partitions()),
              tail,
              catchUp,
              listener,
              Subscriptions.this::onMove,
              lease.get(),
              now + leaseDuration.toNanos());
      workers.put(index, worker);
      renewAt.put(index, now + leaseDuration.toNanos() / 2);
      LOG.info("{} runs here now, as {}", lease.get().name(), instance);
      worker.begin();
    }

    /** Lets the other processes know that this one takes its share. */
    private void joinIn() {
      long now = System.nanoTime();
      if (membership != null && now - renewMembershipAt < 0) {
        return;
      }
      if (membership != null) {
        try {
          membership = storage.leases().renew(membership, leaseDuration);
        } catch (LeaseLostException e) {
          membership = null;
        }
      }
      if (membership == null) {
        membership = storage.leases().acquire(memberName, instance, leaseDuration).orElse(null);
      }
      renewMembershipAt = now + leaseDuration.toNanos() / 2;
    }

    /** Takes what is free up to a fair share, and gives back what is more than that. */
    private void share() {
      List<String> held =
          storage.leases().list(PREFIX + subscription.name() + "/").stream()
              .map(Lease::name)
              .toList();
      List<String> members =
          held.stream().filter(name -> name.contains("/member/")).sorted().toList();
      int me = members.indexOf(memberName);
      if (me < 0) {
        return;
      }
      int partitions = subscription.partitions();
      int share = partitions / members.size() + (me < partitions % members.size() ? 1 : 0);
      int mine = 0;
      for (Worker worker : workers.values()) {
        if (!worker.isStopping() && ++mine > share) {
          LOG.info(
              "{} is handed over: {} processes share it", worker.lease().name(), members.size());
          worker.stop();
        }
      }
      // Each begins elsewhere, so that those who start together do not all ask for the same ones.
      int first = me * partitions / members.size();
      for (int i = 0; i < partitions && mine < share; i++) {
        int index = (first + i) % partitions;
        if (!workers.containsKey(index)
            && !held.contains(Worker.checkpointName(subscription.name(), index))) {
          acquire(index);
          if (workers.containsKey(index)) {
            mine++;
          }
        }
      }
    }

    void stopAll() {
      stopped = true;
      List<Worker> all;
      synchronized (this) {
        all = List.copyOf(workers.values());
      }
      all.forEach(Worker::stop);
      long until = System.nanoTime() + stopTimeout.toNanos();
      long renewalDue = System.nanoTime();
      try {
        for (Worker worker : all) {
          while (!worker.join(Duration.ofMillis(200)) && System.nanoTime() - until < 0) {
            // A handler that takes its time keeps its lease meanwhile.
            if (System.nanoTime() - renewalDue >= 0) {
              renewalDue = System.nanoTime() + leaseDuration.toNanos() / 2;
              keep(all);
            }
          }
          if (!worker.ended()) {
            LOG.warn(
                "{} did not stop within {}; its handler is interrupted",
                worker.lease().name(),
                stopTimeout);
            worker.interrupt();
            worker.join(Duration.ofSeconds(1));
          }
        }
      } catch (InterruptedException e) {
        all.forEach(Worker::interrupt);
        Thread.currentThread().interrupt();
      }
      workers.clear();
    }

    private void keep(List<Worker> stoppingWorkers) {
      for (Worker worker : stoppingWorkers) {
        if (!worker.ended()) {
          try {
            long now = System.nanoTime();
            worker.renewed(
                storage.leases().renew(worker.lease(), leaseDuration),
                now + leaseDuration.toNanos());
          } catch (LeaseLostException e) {
            LOG.debug("{} ended meanwhile", worker.lease().name());
          } catch (SluiceException e) {
            LOG.warn("{} could not be renewed: {}", worker.lease().name(), e.getMessage());
          }
        }
      }
    }

    synchronized void releaseMembership() {
      if (membership != null) {
        try {
          storage.leases().release(membership);
        } catch (SluiceException e) {
          LOG.debug("A membership could not be given back; it expires by itself", e);
        }
        membership = null;
      }
    }
  }

  /** Calls all, and lets none of them do harm. */
  private record Listeners(List<SubscriptionListener> all) implements SubscriptionListener {

    Listeners {
      all = List.copyOf(all);
    }

    private void tell(Consumer<SubscriptionListener> what) {
      for (SubscriptionListener each : all) {
        try {
          what.accept(each);
        } catch (RuntimeException e) {
          LOG.warn("A listener of subscriptions has failed; the others go on", e);
        }
      }
    }

    @Override
    public void handled(String subscription, int partition, int events, Duration time) {
      tell(each -> each.handled(subscription, partition, events, time));
    }

    @Override
    public void retrying(String subscription, int partition, int attempts, String error) {
      tell(each -> each.retrying(subscription, partition, attempts, error));
    }

    @Override
    public void parked(String subscription, int partition, String error) {
      tell(each -> each.parked(subscription, partition, error));
    }

    @Override
    public void stopped(String subscription, int partition, String error) {
      tell(each -> each.stopped(subscription, partition, error));
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
