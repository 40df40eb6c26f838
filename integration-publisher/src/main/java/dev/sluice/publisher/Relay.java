package dev.sluice.publisher;

import dev.sluice.core.Registration;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Outbox;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes what is in the outbox: in order for each key, and as often as the publisher guarantees,
 * which is once with {@code KafkaMessagePublisher}. How far it has come is kept by the broker. What
 * all relays of the store have published is removed from the outbox by and by.
 *
 * <p>Run one in each process of a service, with the same name: the processes share the lanes, and
 * take over those of a process that is gone when its leases have expired.
 *
 * <p>Failures of the broker or the store are retried until they are over, and logged once; {@link
 * #status} tells. Safe for use by any number of threads.
 */
public final class Relay implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Relay.class);
  private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9._-]{1,100}");
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(30);

  private final RelaySettings settings;
  private final RelayControl control;
  private final List<LaneRunner> runners = new CopyOnWriteArrayList<>();
  private final List<Thread> threads = new CopyOnWriteArrayList<>();
  private final ScheduledExecutorService timer;

  /** Another one: leases must not wait until a backlog is counted. */
  private final ScheduledExecutorService measuring;

  private final ExecutorService readAhead = Executors.newVirtualThreadPerTaskExecutor();
  private final Registration hints;
  private volatile int share;
  private volatile boolean othersRun;

  /** How many lanes there are, as the lanes themselves say. */
  private volatile int lanes;

  private volatile boolean closed;
  private @Nullable Lease membership;

  private Relay(RelaySettings settings) {
    this.settings = settings;
    this.control =
        new RelayControl(
            settings.name(), settings.outbox(), settings.checkpoints(), settings.leases());
    this.share = settings.lanes();
    this.timer = timer("timer");
    this.measuring = timer("measuring");
    this.lanes = settings.lanes();
    run();
    settings.meters().bind(settings.lanes());
    keepLeases();
    if (settings.meters().wantsStatus()) {
      var unusedToo = measuring.scheduleWithFixedDelay(this::measure, 1, 5, TimeUnit.SECONDS);
    }
    long period = settings.leaseDuration().toMillis() / 3;
    var unused = timer.scheduleAtFixedRate(this::keepLeases, period, period, TimeUnit.MILLISECONDS);
    this.hints = settings.outbox().onAppend(this::signal);
  }

  /**
   * Describes a relay.
   *
   * @param name names the relay in the broker and in the store, 1 to 100 of {@code a-z A-Z 0-9 . _
   *     -}; the same in every process of the service, and no other service's in the same broker
   */
  public static Builder builder(
      String name,
      Outbox outbox,
      CheckpointStore checkpoints,
      LeaseStore leases,
      MessagePublisher publisher) {
    return new Builder(name, outbox, checkpoints, leases, publisher);
  }

  /** Says that there may be new messages. They are found without it, a little later. */
  public void signal() {
    runners.forEach(LaneRunner::signal);
  }

  /**
   * Changes the number of lanes, for all processes: nothing is lost, repeated or reordered. Takes
   * some seconds, or the rest of the lease of a process that is gone, in which nothing is
   * published. If it fails in the middle the relay stands still until it is called again, from any
   * process.
   *
   * @param lanes 1 to 64
   * @return the number of lanes afterwards; another one than asked for if an earlier change had
   *     been interrupted, and was completed
   * @throws IllegalStateException if a refused message waits for a decision, or a lane has not
   *     caught up with the last change; the lanes then go on as before
   * @throws dev.sluice.core.outbox.BrokerUnavailableException also if the broker has no room for
   *     the new lanes; they then go on as before, too
   */
  public int changeLanes(int lanes, String who, String why) {
    return new LaneChange(settings).to(Builder.within("lanes", lanes, 1, 64), who, why);
  }

  /** How each lane is doing, whichever process owns it. */
  public List<LaneStatus> status() {
    return control.status();
  }

  /** Tells, and decides, what becomes of refused messages. */
  public RelayControl control() {
    return control;
  }

  /**
   * Stops after the batches that are under way, and gives the lanes back. Does not close the
   * publisher.
   */
  @Override
  public void close() {
    hints.close();
    synchronized (this) {
      closed = true;
      runners.forEach(LaneRunner::close);
    }
    boolean interrupted = false;
    long deadline = System.nanoTime() + CLOSE_TIMEOUT.toNanos();
    for (Thread thread : threads) {
      try {
        thread.join(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    timer.shutdownNow();
    // Without an interrupt: it would close a pooled connection in the middle of a read.
    readAhead.shutdown();
    measuring.shutdown();
    try {
      leaveMembers();
    } catch (RuntimeException e) {
      log.debug("the membership expires by itself: {}", e.getMessage());
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private ScheduledExecutorService timer(String what) {
    return Executors.newSingleThreadScheduledExecutor(
        Thread.ofPlatform()
            .daemon()
            .name("sluice-relay-" + settings.name() + "-" + what)
            .factory());
  }

  /** Has a runner for each lane. */
  private synchronized void run() {
    while (!closed && runners.size() < lanes) {
      int lane = runners.size();
      LaneRunner runner =
          new LaneRunner(
              settings, lane, this::mayAcquire, () -> othersRun, found -> lanes = found, readAhead);
      Thread thread =
          Thread.ofPlatform()
              .name("sluice-relay-" + settings.name() + "-" + lane)
              .daemon()
              .unstarted(runner);
      runners.add(runner);
      threads.add(thread);
      thread.start();
    }
    while (runners.size() > lanes) {
      runners.remove(runners.size() - 1).close();
    }
  }

  private void measure() {
    try {
      settings.meters().status(control.status());
    } catch (RuntimeException | Error e) {
      log.debug("can't measure relay {}: {}", settings.name(), e.getMessage());
    }
  }

  private boolean mayAcquire() {
    return runners.stream().filter(LaneRunner::owns).count() < share;
  }

  /** Renews what this process holds, and gives lanes away when other processes have too few. */
  private void keepLeases() {
    try {
      for (LaneRunner runner : runners) {
        runner.renew();
      }
      followNumberOfLanes();
      run();
      // Who stands back counts for nobody, so that the others take more than their share.
      if (runners.stream().anyMatch(LaneRunner::standsBack)) {
        leaveMembers();
      } else {
        joinMembers();
      }
      int members = settings.leases().list(settings.memberPrefix()).size();
      othersRun = members > (membership == null ? 0 : 1);
      share = (lanes + Math.max(1, members) - 1) / Math.max(1, members);
      runners.stream().filter(LaneRunner::owns).skip(share).forEach(LaneRunner::release);
    } catch (RuntimeException | Error e) {
      // What is thrown here would end the timer. The lanes notice by themselves that they were not
      // renewed.
      log.debug("can't renew the leases of relay {}: {}", settings.name(), e.getMessage());
    }
  }

  /**
   * Who owns a lane learns from it how many there are. Who owns none, because others own them all,
   * counts their checkpoints: else it would never ask for its share of those that were added.
   */
  private void followNumberOfLanes() {
    if (runners.stream().noneMatch(LaneRunner::owns)) {
      int started =
          settings
              .checkpoints()
              .list(RelaySettings.lanePrefix(settings.outbox(), settings.name()))
              .size();
      if (started > 0) {
        lanes = started;
      }
    }
  }

  private void joinMembers() {
    Lease member = membership;
    try {
      if (member != null) {
        membership = settings.leases().renew(member, settings.leaseDuration());
        return;
      }
    } catch (LeaseLostException e) {
      membership = null;
    }
    // The first number that is free, because a store keeps something of each name for ever.
    for (int number = 0; membership == null; number++) {
      membership =
          settings
              .leases()
              .acquire(settings.memberPrefix() + number, settings.owner(), settings.leaseDuration())
              .orElse(null);
    }
  }

  private void leaveMembers() {
    Lease member = membership;
    if (member != null) {
      settings.leases().release(member);
      membership = null;
    }
  }

  /** Settings of a relay. Not safe for use by several threads. */
  public static final class Builder {
    private final String name;
    private final Outbox outbox;
    private final CheckpointStore checkpoints;
    private final LeaseStore leases;
    private final MessagePublisher publisher;
    private String owner;
    private int lanes = 1;
    private int maxMessages = 2_000;
    private int maxBytes = 1024 * 1024;
    private Duration minPoll = Duration.ofMillis(5);
    private Duration maxPoll = Duration.ofMillis(100);
    private Duration leaseDuration = Duration.ofSeconds(15);
    private PoisonPolicy poison = PoisonPolicy.STOP_LANE;
    private int maxAttempts = 3;
    private int maxParkedKeys = 100;
    private RelayMeters meters = RelayMeters.NONE;
    private boolean prunes = true;

    private Builder(
        String name,
        Outbox outbox,
        CheckpointStore checkpoints,
        LeaseStore leases,
        MessagePublisher publisher) {
      if (!NAME.matcher(name).matches()) {
        throw new IllegalArgumentException(
            "'" + name + "' can't name a relay: use 1 to 100 of a-z A-Z 0-9 . _ -");
      }
      this.name = name;
      this.outbox = Objects.requireNonNull(outbox, "outbox");
      this.checkpoints = Objects.requireNonNull(checkpoints, "checkpoints");
      this.leases = Objects.requireNonNull(leases, "leases");
      this.publisher = Objects.requireNonNull(publisher, "publisher");
      this.owner = thisProcess();
    }

    /** With the host where it is known: in containers all processes have the same number. */
    private static String thisProcess() {
      @Nullable String host = System.getenv("HOSTNAME");
      return "process " + ProcessHandle.current().pid() + (host == null ? "" : " on " + host);
    }

    /** Who this process is, for people who look at the status; default its process id and host. */
    public Builder owner(String owner) {
      this.owner = Objects.requireNonNull(owner, "owner");
      return this;
    }

    /**
     * Over how many lanes the keys are spread, 1 to 64; default 1. Lanes are published in parallel,
     * by one process or several. Counts when the relay runs for the first time; later use {@link
     * Relay#changeLanes}, so that processes with different settings can't disagree.
     */
    public Builder lanes(int lanes) {
      this.lanes = within("lanes", lanes, 1, 64);
      return this;
    }

    /**
     * The greatest number of messages in a batch, 1 to {@value Outbox#MAX_LIMIT}; default 2,000.
     */
    public Builder maxBatchMessages(int messages) {
      this.maxMessages = within("messages", messages, 1, Outbox.MAX_LIMIT);
      return this;
    }

    /**
     * About how many bytes of data a batch holds; default 1 MiB. Up to a hundred messages are read
     * before it is known that they are larger than the last ones.
     */
    public Builder maxBatchBytes(int bytes) {
      this.maxBytes = within("bytes", bytes, 1, Integer.MAX_VALUE);
      return this;
    }

    /**
     * How often an empty outbox is looked at: after {@code min} when something was found lately,
     * then less and less often down to {@code max}; default 5 and 100 ms. A hint of the store is
     * followed at once.
     */
    public Builder poll(Duration min, Duration max) {
      if (min.isNegative() || min.isZero() || max.compareTo(min) < 0) {
        throw new IllegalArgumentException("poll needs 0 < min <= max, not " + min + " and " + max);
      }
      this.minPoll = min;
      this.maxPoll = max;
      return this;
    }

    /**
     * For how long a lane of a process that is gone stays without an owner, at least 1 s; default
     * 15 s. Too short a time costs needless changes of owners, never order or messages.
     */
    public Builder leaseDuration(Duration duration) {
      if (duration.compareTo(Duration.ofSeconds(1)) < 0) {
        throw new IllegalArgumentException("a lease lasts at least 1 s, not " + duration);
      }
      this.leaseDuration = duration;
      return this;
    }

    /** What becomes of a message that the broker does not take; default stop the lane. */
    public Builder poison(PoisonPolicy poison) {
      this.poison = Objects.requireNonNull(poison, "poison");
      return this;
    }

    /** How often a refused message is tried in all, at least 1; default 3. */
    public Builder maxAttempts(int attempts) {
      this.maxAttempts = within("attempts", attempts, 1, 1_000);
      return this;
    }

    /** How many keys a lane parks before it stops; default 100. */
    public Builder maxParkedKeys(int keys) {
      this.maxParkedKeys = within("keys", keys, 1, 1_000);
      return this;
    }

    /**
     * Leaves the outbox as it is. Otherwise the owner of lane 0 removes, little by little, what all
     * relays of the store have published; say this where a further relay is to begin from the first
     * message some day, or where somebody else calls {@link Outbox#prune}.
     */
    public Builder keepPublished() {
      this.prunes = false;
      return this;
    }

    /** Where to publish meters, see the module's README; default nowhere. Needs Micrometer. */
    public Builder meters(MeterRegistry registry) {
      this.meters = new MicrometerMeters(registry, name);
      return this;
    }

    /** Starts the relay. It connects by itself, and goes on trying. */
    public Relay start() {
      return new Relay(settings());
    }

    RelaySettings settings() {
      return new RelaySettings(
          name,
          owner,
          outbox,
          checkpoints,
          leases,
          new SameContents(publisher, outbox),
          new ControlLog(checkpoints, name),
          meters,
          lanes,
          maxMessages,
          maxBytes,
          minPoll,
          maxPoll,
          leaseDuration,
          poison,
          maxAttempts,
          maxParkedKeys,
          prunes);
    }

    private static int within(String what, int value, int min, int max) {
      if (value < min || value > max) {
        throw new IllegalArgumentException(
            what + " must be " + min + " to " + max + ", not " + value);
      }
      return value;
    }
  }
}
