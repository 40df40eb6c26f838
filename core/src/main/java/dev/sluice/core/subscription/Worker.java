package dev.sluice.core.subscription;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.subscription.Commands.Command;
import dev.sluice.core.subscription.PartitionState.Failing;
import dev.sluice.core.subscription.Subscription.Consumer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs one partition for as long as this process owns it, on one thread. All that it knows stands
 * in the checkpoint, so that it can go on wherever another owner has ended.
 */
final class Worker {

  private static final Logger LOG = LoggerFactory.getLogger(Worker.class);

  /** What the names of all checkpoints and leases of subscriptions start with. */
  static final String PREFIX = "subscription/";

  private static final Duration COMMAND_POLL = Duration.ofSeconds(1);
  private static final Duration LAZY_SAVE = Duration.ofSeconds(1);
  private static final Duration MAX_PAUSE_WITHOUT_STORE = Duration.ofSeconds(5);

  private final Storage storage;
  private final CheckpointStore checkpoints;
  private final Subscription subscription;
  private final Partition partition;
  private final String name;
  private final Tail tail;
  private final CatchUp catchUp;
  private final Commands commands;
  private final SubscriptionListener listener;
  private final Runnable onMove;
  private final Thread thread;

  private final AtomicBoolean woken = new AtomicBoolean();
  private volatile boolean stopping;
  private volatile boolean lost;
  private volatile boolean refused;
  private volatile Lease lease;
  private volatile long validUntil;
  private volatile Position position = Position.START;

  // Used by the thread only.
  private @Nullable Checkpoint current;
  private PartitionState state;
  private Consumer consumer;
  private boolean following;
  private int careful;
  private long retryAt = System.nanoTime();
  private long commandsAt = System.nanoTime();
  private long lastSave = System.nanoTime();
  private long timedAt = System.nanoTime();

  Worker(
      Storage storage,
      Subscription subscription,
      Partition partition,
      Tail tail,
      CatchUp catchUp,
      SubscriptionListener listener,
      Runnable onMove,
      Lease lease,
      long validUntil) {
    this.storage = storage;
    this.checkpoints = storage.checkpoints();
    this.subscription = subscription;
    this.partition = partition;
    this.name = checkpointName(subscription.name(), partition.index());
    this.tail = tail;
    this.catchUp = catchUp;
    this.commands = new Commands(checkpoints, subscription.name());
    this.listener = listener;
    this.onMove = onMove;
    this.lease = lease;
    this.validUntil = validUntil;
    this.state = PartitionState.initial(partition.count());
    this.consumer = subscription.consumerFor(partition);
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
    return position;
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

  boolean isLost() {
    return lost;
  }

  boolean isStopping() {
    return stopping || lost;
  }

  void wake() {
    woken.set(true);
    tail.wakeAll();
  }

  void lookForCommands() {
    commandsAt = System.nanoTime();
    wake();
  }

  boolean join(Duration timeout) throws InterruptedException {
    return thread.join(timeout);
  }

  void interrupt() {
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
      if (following) {
        tail.unfollow();
      }
    }
  }

  private void loop() throws InterruptedException {
    int failures = 0;
    while (!isStopping()) {
      try {
        woken.set(false);
        if (current == null) {
          takeOver();
        }
        step();
        if (failures > 0) {
          failures = 0;
          LOG.info("{} goes on at {}", name, position);
        }
      } catch (CheckpointConflictException e) {
        current = null;
        if (isOwnedByAnother()) {
          LOG.warn("{} has another owner by now; this process stops it: {}", name, e.getMessage());
          lost = true;
        }
      } catch (RuntimeException e) {
        if (Thread.currentThread().isInterrupted()) {
          throw new InterruptedException();
        }
        // Whether a save was done is unknown: what counts is loaded again.
        current = null;
        failures++;
        if (failures == 1) {
          LOG.warn("{} can't go on for now, and tries again until it can: {}", name, e.toString());
        }
        pause(
            Math.min(
                MAX_PAUSE_WITHOUT_STORE.toNanos(),
                Duration.ofMillis(50).toNanos() << Math.min(failures, 10)));
      }
    }
  }

  private boolean isOwnedByAnother() {
    try {
      return checkpoints.load(name).filter(stored -> stored.token() > lease.token()).isPresent();
    } catch (SluiceException e) {
      return false;
    }
  }

  /**
   * Loads the checkpoint and writes this owner's token into it, from which moment on everything
   * that an earlier owner still tries to save is refused.
   */
  private void takeOver() {
    Optional<Checkpoint> stored = checkpoints.load(name);
    if (stored.isEmpty()) {
      Position start =
          switch (subscription.start()) {
            case Subscription.Start.At at -> at.position();
            case Subscription.Start.Now now -> storage.globalLog().status().head();
          };
      PartitionState first = PartitionState.initial(partition.count()).withOwned(true);
      Checkpoint checkpoint = Checkpoint.first(name, start, first.encode(), lease.token());
      checkpoints.save(checkpoint);
      accept(checkpoint, first);
      return;
    }
    PartitionState found = PartitionState.decode(name, stored.get().state());
    if (found.partitions() != partition.count()) {
      LOG.error(
          "{} was begun with {} partitions and can't go on with {}; start a subscription of another"
              + " name, or use the number that it was begun with",
          name,
          found.partitions(),
          partition.count());
      refused = true;
      stopping = true;
      return;
    }
    if (stored.get().token() > lease.token()) {
      lost = true;
      return;
    }
    if (stored.get().token() == lease.token()) {
      accept(stored.get(), found);
      return;
    }
    if (found.owned()) {
      // Maybe an event killed the last owner. Until past what it may have been at, each event is
      // counted as tried before it is tried, so that one that kills is parked in the end.
      careful = subscription.batchSize();
      LOG.warn(
          "{} was not left in order by its last owner; it goes on at {}, one event at a time for"
              + " up to {} events",
          name,
          stored.get().position(),
          careful);
    }
    accept(stored.get(), found);
    save(position, found.withOwned(true));
  }

  private void end() {
    try {
      if (current != null) {
        save(position, state.withOwned(false));
      }
    } catch (SluiceException e) {
      LOG.warn("{} could not save its last checkpoint; its last batch comes again", name, e);
    }
    try {
      storage.leases().release(lease);
    } catch (SluiceException e) {
      LOG.warn("{} could not give its lease back; it expires at {}", name, lease.expiresAt(), e);
    }
  }

  private void step() throws InterruptedException {
    if (lost || current == null || !waitForLease()) {
      return;
    }
    if (hasTrouble() && System.nanoTime() - commandsAt >= 0) {
      applyCommands();
      commandsAt = System.nanoTime() + COMMAND_POLL.toNanos();
    }
    if (state.hasResumed()) {
      retryParked();
    }
    runTimed();
    long wait = state.stopped() ? COMMAND_POLL.toNanos() : retryAt - System.nanoTime();
    if (state.stopped() || (state.failing().isPresent() && wait > 0)) {
      pause(Math.min(wait, COMMAND_POLL.toNanos()));
      return;
    }
    LogPage page = nextPage();
    if (page != null) {
      deliver(page);
    }
  }

  private boolean hasTrouble() {
    return state.failing().isPresent() || !state.parked().isEmpty();
  }

  /** Without a valid lease somebody else may be at it; nothing is begun until it is renewed. */
  private boolean waitForLease() throws InterruptedException {
    if (validUntil - System.nanoTime() > 0) {
      return true;
    }
    pause(TimeUnit.SECONDS.toNanos(1));
    return false;
  }

  private @Nullable LogPage nextPage() throws InterruptedException {
    if (following) {
      Position tailStart = tail.start();
      Optional<LogPage> known =
          tail.after(position, subscription, partition, subscription.batchSize());
      if (known.isPresent()) {
        if (known.get().next().isAfter(position)) {
          return known.get();
        }
        idle();
        return null;
      }
      LogPage page = catchUp.readNow(position);
      // Where there is no more to read, everything up to where the tail begins is dealt with.
      return page.more()
          ? page
          : new LogPage(page.events(), Position.max(page.next(), tailStart), false);
    }
    LogPage page = catchUp.read(position);
    if (!page.more()) {
      tail.follow(subscription.filter(), Position.max(position, page.next()));
      following = true;
    }
    return page;
  }

  private void idle() throws InterruptedException {
    boolean unsaved = position.isAfter(saved().position());
    long wait = TimeUnit.MINUTES.toNanos(1);
    if (unsaved) {
      long due = lastSave + LAZY_SAVE.toNanos() - System.nanoTime();
      if (due <= 0) {
        save(position, state);
        return;
      }
      wait = due;
    }
    if (hasTrouble()) {
      wait = Math.min(wait, COMMAND_POLL.toNanos());
    }
    if (consumer instanceof Consumer.One one && one.handler() instanceof TimedHandler timed) {
      if (timed.nextTime().isBefore(Instant.now().plus(Duration.ofMinutes(1)))) {
        long left = Duration.between(Instant.now(), timed.nextTime()).toNanos();
        wait = Math.min(wait, Math.max(left, timedAt - System.nanoTime()));
      }
    }
    wait = Math.min(wait, validUntil - System.nanoTime());
    tail.await(position, woken, Math.max(0, wait));
  }

  private void runTimed() {
    if (consumer instanceof Consumer.One one && one.handler() instanceof TimedHandler timed) {
      Instant now = Instant.now();
      if (!timed.nextTime().isAfter(now) && System.nanoTime() - timedAt >= 0) {
        try {
          timed.onTime(now);
        } catch (StoreUnavailableException e) {
          throw e;
        } catch (RuntimeException e) {
          LOG.warn("{} failed at what was due; it is tried again in a second", name, e);
          timedAt = System.nanoTime() + COMMAND_POLL.toNanos();
        }
      }
    }
  }

  private void deliver(LogPage page) throws InterruptedException {
    List<RecordedEvent> events = new ArrayList<>(page.events().size());
    for (RecordedEvent event : page.events()) {
      if (event.position().isAfter(position) && partition.contains(event.stream())) {
        events.add(event);
      }
    }
    int done = 0;
    while (done < events.size()) {
      if (isStopping() || validUntil - System.nanoTime() <= 0) {
        return;
      }
      if (careful > 0 || state.failing().isPresent()) {
        if (!deliverOne(events.get(done))) {
          return;
        }
        careful = Math.max(0, careful - 1);
        done++;
        continue;
      }
      int end = Math.min(events.size(), done + subscription.batchSize());
      if (!deliverBatch(events.subList(done, end), end == events.size() ? page.next() : null)) {
        return;
      }
      done = end;
    }
    if (page.next().isAfter(position)) {
      move(page.next());
      // Also what was left out must be saved from time to time, but not for each event of others.
      if (System.nanoTime() - lastSave > LAZY_SAVE.toNanos()) {
        save(position, state);
      }
    }
  }

  /**
   * Deals with several events and saves the checkpoint once.
   *
   * @param next where the cursor goes after them, if not to the last of them
   * @return whether all were dealt with
   */
  private boolean deliverBatch(List<RecordedEvent> events, @Nullable Position next) {
    List<RecordedEvent> batch = withoutParked(events);
    Position end = next != null ? next : events.getLast().position();
    if (batch.isEmpty()) {
      move(end);
      return true;
    }
    long begin = System.nanoTime();
    switch (consumer) {
      case Consumer.Batch processor -> {
        try {
          process(processor.processor(), batch, end, state);
        } catch (CheckpointConflictException | StoreUnavailableException e) {
          throw e;
        } catch (RuntimeException e) {
          // Which event it was is not known yet: they are tried one by one.
          careful = batch.size();
          LOG.info("{} failed on a batch; trying its events one by one: {}", name, e.toString());
          return false;
        }
      }
      case Consumer.One one -> {
        int done = 0;
        for (RecordedEvent event : batch) {
          // Also when the lease has run out: another owner may be at the next one already.
          if (isStopping() || validUntil - System.nanoTime() <= 0) {
            break;
          }
          try {
            one.handler().handle(event);
          } catch (StoreUnavailableException e) {
            saveAfter(batch, done, begin);
            throw e;
          } catch (RuntimeException e) {
            saveAfter(batch, done, begin);
            failed(event, 1, e);
            return false;
          }
          done++;
        }
        if (done < batch.size()) {
          saveAfter(batch, done, begin);
          return false;
        }
        save(end, state);
      }
    }
    tellHandled(batch.size(), begin);
    return true;
  }

  private void saveAfter(List<RecordedEvent> batch, int done, long begin) {
    if (done > 0) {
      save(batch.get(done - 1).position(), state);
      tellHandled(done, begin);
    }
  }

  private void tellHandled(int events, long begin) {
    listener.handled(
        subscription.name(),
        partition.index(),
        events,
        Duration.ofNanos(System.nanoTime() - begin));
  }

  private List<RecordedEvent> withoutParked(List<RecordedEvent> events) {
    return state.parked().isEmpty()
        ? events
        : events.stream().filter(event -> !state.parked().containsKey(event.stream())).toList();
  }

  /**
   * Deals with one event that is under suspicion: the try is counted before it begins.
   *
   * @return whether the cursor has moved past it
   */
  private boolean deliverOne(RecordedEvent event) throws InterruptedException {
    if (state.parked().containsKey(event.stream())) {
      move(event.position());
      return true;
    }
    Failing failing =
        state
            .failing()
            .filter(known -> known.isFor(event))
            .orElseGet(() -> Failing.first(event, 0, ""));
    if (failing.attempts() >= subscription.failures().maxAttempts()) {
      return giveUp(event, failing);
    }
    Failing tried = failing.tried(failing.attempts() + 1, failing.error());
    save(position, state.withFailing(tried));
    long begin = System.nanoTime();
    try {
      handleOne(tried.replaced(event), event.position(), state.withoutFailing());
    } catch (StoreUnavailableException e) {
      // An outage is no attempt. If the outcome of the try is unknown, this save is refused, and
      // everything is loaded again.
      save(position, failing.attempts() == 0 ? state.withoutFailing() : state.withFailing(failing));
      throw e;
    } catch (CheckpointConflictException e) {
      throw e;
    } catch (RuntimeException e) {
      return failed(event, tried.attempts(), e);
    }
    tellHandled(1, begin);
    return true;
  }

  private void handleOne(RecordedEvent event, Position to, PartitionState after) {
    switch (consumer) {
      case Consumer.Batch processor -> process(processor.processor(), List.of(event), to, after);
      case Consumer.One one -> {
        one.handler().handle(event);
        save(to, after);
      }
    }
  }

  /** Notes that a try has failed; returns whether the cursor has moved past the event. */
  private boolean failed(RecordedEvent event, int attempts, RuntimeException e) {
    Failing failing =
        state
            .failing()
            .filter(known -> known.isFor(event))
            .orElseGet(() -> Failing.first(event, attempts, ""))
            .tried(attempts, e.toString());
    if (attempts == 1) {
      LOG.warn(
          "{} failed on {}, version {}, at {}; up to {} tries",
          name,
          event.stream(),
          event.version(),
          event.position(),
          subscription.failures().maxAttempts(),
          e);
    }
    save(position, state.withFailing(failing));
    if (attempts >= subscription.failures().maxAttempts()) {
      return giveUp(event, failing);
    }
    retryAt = System.nanoTime() + subscription.failures().pauseAfter(attempts).toNanos();
    listener.retrying(subscription.name(), partition.index(), attempts, failing.error());
    return false;
  }

  private boolean giveUp(RecordedEvent event, Failing failing) {
    String error =
        failing.error().isEmpty()
            ? "the process ended each time while it was being dealt with"
            : failing.error();
    Failing named = failing.tried(failing.attempts(), error);
    if (subscription.failures().then() == FailurePolicy.Then.PARK
        && state.parked().size() < FailurePolicy.MAX_PARKED) {
      save(event.position(), state.withoutFailing().park(named.waiting()));
      LOG.error(
          "{} has parked the stream {} at version {} after {} tries; its later events wait behind"
              + " it. Resume, skip or replace it: {}",
          name,
          event.stream(),
          event.version(),
          failing.attempts(),
          error);
      listener.parked(subscription.name(), partition.index(), error);
      return true;
    }
    save(position, state.withFailing(named).stop());
    LOG.error(
        "{} has stopped at {}, version {}, after {} tries. Resume, skip or replace it: {}",
        name,
        event.stream(),
        event.version(),
        failing.attempts(),
        error);
    listener.stopped(subscription.name(), partition.index(), error);
    return false;
  }

  /** One more try for the events of streams that somebody has resumed. */
  private void retryParked() {
    for (Failing parked : List.copyOf(state.parked().values())) {
      if (parked.resumed()) {
        retry(parked);
      }
    }
  }

  private void retry(Failing parked) {
    Failing next = parked;
    int left = subscription.batchSize();
    while (!isStopping()) {
      List<RecordedEvent> waiting = waiting(next);
      if (waiting.isEmpty()) {
        save(position, state.unpark(next.stream()));
        LOG.info("{} has caught up with the parked stream {}", name, next.stream());
        return;
      }
      for (int i = 0; i < waiting.size(); i++) {
        if (isStopping() || left-- == 0) {
          return;
        }
        RecordedEvent event = waiting.get(i);
        Failing at = next.isFor(event) ? next : next.at(event);
        Failing tried = at.tried(at.attempts() + 1, at.error());
        save(position, state.park(tried));
        Failing following =
            new Failing(
                event.stream(),
                event.version() + 1,
                event.position(),
                0,
                "",
                at.since(),
                true,
                Optional.empty());
        try {
          handleOne(tried.replaced(event), position, state.park(following));
        } catch (CheckpointConflictException | StoreUnavailableException e) {
          throw e;
        } catch (RuntimeException e) {
          save(position, state.park(tried.tried(tried.attempts(), e.toString()).waiting()));
          LOG.error(
              "{} failed again on the parked stream {} at version {}, which stays parked",
              name,
              event.stream(),
              event.version(),
              e);
          listener.parked(subscription.name(), partition.index(), e.toString());
          return;
        }
        next = following;
      }
    }
  }

  /** A page of what waits in a parked stream: what the cursor has passed meanwhile. */
  private List<RecordedEvent> waiting(Failing parked) {
    long from = parked.version();
    for (; ; ) {
      List<RecordedEvent> page =
          storage.eventStore().read(parked.stream(), StreamRange.forwards(from, 200));
      List<RecordedEvent> passed =
          page.stream().filter(event -> !event.position().isAfter(position)).toList();
      List<RecordedEvent> wanted = passed.stream().filter(subscription::matches).toList();
      if (!wanted.isEmpty() || passed.size() < 200) {
        return wanted;
      }
      from = passed.getLast().version() + 1;
    }
  }

  private void applyCommands() {
    List<Command> pending = commands.load();
    boolean any = false;
    for (Command command : pending) {
      if (!partition.contains(command.decision().stream())) {
        continue;
      }
      any = true;
      if (command.number() > state.applied()) {
        apply(command);
      }
    }
    if (any) {
      long applied = state.applied();
      commands.remove(
          command ->
              command.number() <= applied && partition.contains(command.decision().stream()));
    }
  }

  private void apply(Command command) {
    SubscriptionStatus.Decision decision = command.decision();
    StreamId stream = decision.stream();
    PartitionState noted = state.withApplied(command.number());
    Position to = position;
    Failing failing = state.failing().filter(event -> event.stream().equals(stream)).orElse(null);
    Failing parked = state.parked().get(stream);
    if (failing != null && failing.version() == decision.version()) {
      switch (decision.what()) {
        case Subscriptions.SKIP -> {
          to = failing.position();
          noted = noted.withoutFailing();
        }
        default -> noted = noted.withFailing(failing.resume(command.replacement()));
      }
      retryAt = System.nanoTime();
    } else if (parked != null && parked.version() == decision.version()) {
      Failing next =
          decision.what().equals(Subscriptions.SKIP)
              ? new Failing(
                  stream,
                  parked.version() + 1,
                  parked.position(),
                  0,
                  "",
                  parked.since(),
                  true,
                  Optional.empty())
              : parked.resume(command.replacement());
      noted = noted.park(next);
    } else {
      LOG.warn("{} has nothing to {} at {} any more", name, decision.what(), stream);
      save(position, noted);
      return;
    }
    save(to, noted.decided(decision));
    LOG.warn(
        "{}: {} of {}, version {}, by {}: {}",
        name,
        decision.what(),
        stream,
        decision.version(),
        decision.who(),
        decision.why());
  }

  private void process(
      BatchProcessor processor, List<RecordedEvent> events, Position to, PartitionState after) {
    Checkpoint next = saved().next(to, encode(after), lease.token());
    processor.process(events, next);
    accept(next, after);
  }

  private void save(Position to, PartitionState next) {
    Checkpoint checkpoint = saved().next(to, encode(next), lease.token());
    checkpoints.save(checkpoint);
    accept(checkpoint, next);
  }

  private Payload encode(PartitionState next) {
    return next.encode();
  }

  private Checkpoint saved() {
    if (current == null) {
      throw new IllegalStateException(name + " has no checkpoint");
    }
    return current;
  }

  private void accept(Checkpoint checkpoint, PartitionState next) {
    current = checkpoint;
    state = next;
    lastSave = System.nanoTime();
    move(checkpoint.position());
  }

  private void move(Position to) {
    position = to;
    onMove.run();
  }

  private void pause(long nanos) throws InterruptedException {
    // Nothing lies behind the last of all positions, so that only a wake-up ends it early.
    tail.await(new Position(Long.MAX_VALUE), woken, Math.max(0, nanos));
  }
}
