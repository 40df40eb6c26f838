package dev.sluice.core.aggregate;

import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.core.translation.EventAssembler;
import dev.sluice.core.translation.Translation;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Runs commands against the aggregates of one category: load, decide, append; when somebody else
 * appended meanwhile, read what they appended and decide again. Safe for use by any number of
 * threads.
 *
 * @param <C> commands
 * @param <S> the aggregate's state
 * @param <E> the aggregate's domain events
 */
public final class CommandHandler<C, S, E extends DomainEvent> {

  private static final int TRIES_WHILE_UNAVAILABLE = 3;

  private final String category;
  private final Decider<C, S, E> decider;
  private final Class<E> eventClass;
  private final EventStore store;
  private final EventCodec codec;
  private final EventAssembler assembler;
  private final RetryPolicy retryPolicy;
  private final @Nullable Snapshots<S> snapshots;
  private final Clock clock;
  private final Consumer<StreamId> onRetry;
  private final @Nullable SingleWriter<C, S, E> singleWriter;

  private CommandHandler(Builder<C, S, E> builder) {
    this.category = builder.category;
    this.decider = builder.decider;
    this.eventClass = builder.eventClass;
    this.store = builder.storage.eventStore();
    this.codec = builder.codec;
    this.assembler = new EventAssembler(builder.codec, builder.translation);
    this.retryPolicy = builder.retryPolicy;
    this.snapshots =
        builder.snapshotPolicy == null
            ? null
            : new Snapshots<>(
                builder.storage.snapshots(), builder.codec.serializer(), builder.snapshotPolicy);
    this.clock = builder.clock;
    this.onRetry = builder.onRetry;
    this.singleWriter =
        builder.cachedAggregates == 0 ? null : new SingleWriter<>(this, builder.cachedAggregates);
  }

  private CommandHandler(
      CommandHandler<C, S, E> other, EventStore events, SnapshotStore snapshots) {
    this.category = other.category;
    this.decider = other.decider;
    this.eventClass = other.eventClass;
    this.store = events;
    this.codec = other.codec;
    this.assembler = other.assembler;
    this.retryPolicy = other.retryPolicy;
    this.snapshots = other.snapshots == null ? null : other.snapshots.in(snapshots);
    this.clock = other.clock;
    this.onRetry = other.onRetry;
    // What it keeps in memory could be rolled back.
    this.singleWriter = null;
  }

  /**
   * This handler in a transaction of the caller's, so that what a command stores is committed or
   * rolled back together with what else is in the transaction. Its commands' events are durable
   * only when that is committed. Made for one transaction, and as cheap as a method call.
   *
   * @param events the ports of the transaction, which the storage adapter offers
   * @param snapshots of the same transaction: a snapshot of what was rolled back would be wrong
   */
  public CommandHandler<C, S, E> within(EventStore events, SnapshotStore snapshots) {
    return new CommandHandler<>(this, events, snapshots);
  }

  /**
   * Starts a handler.
   *
   * @param category the stream category of the aggregates
   * @param eventClass what all their events have in common, such as a sealed interface
   */
  public static <C, S, E extends DomainEvent> Builder<C, S, E> builder(
      Storage storage,
      EventCodec codec,
      String category,
      Class<E> eventClass,
      Decider<C, S, E> decider) {
    return new Builder<>(storage, codec, category, eventClass, decider);
  }

  /** {@link #handle(String, Object, CommandOptions)} with nothing further said. */
  public CommandResult<S, E> handle(String id, C command) {
    return handle(id, command, CommandOptions.DEFAULT);
  }

  /**
   * Runs a command. On return its events are durable.
   *
   * @param id the aggregate's id within the category
   * @throws TooManyConflictsException if each attempt met a concurrent append; nothing was stored
   * @throws VersionConflictException if the aggregate has changed since the version that the
   *     options name; nothing was stored
   * @throws StoreUnavailableException if the store can't be reached; whether the events were stored
   *     is unknown, a command with a command id can be repeated safely
   * @throws RuntimeException whatever the decider or the translator throws; nothing was stored
   */
  public CommandResult<S, E> handle(String id, C command, CommandOptions options) {
    StreamId stream = StreamId.of(category, id);
    if (singleWriter != null) {
      return singleWriter.handle(stream, command, options);
    }
    Loaded<S> loaded = load(stream);
    for (int conflicts = 0; ; conflicts++) {
      if (isRepeated(stream, options)) {
        // The first try may have been stored since the state was loaded.
        loaded = catchUp(stream, loaded);
        return new CommandResult<>(
            loaded.state(), loaded.version(), loaded.position(), List.of(), conflicts);
      }
      List<E> events = decide(stream, command, loaded, options);
      if (events.isEmpty()) {
        return new CommandResult<>(
            loaded.state(), loaded.version(), loaded.position(), events, conflicts);
      }
      // Before the append: a state that can't be evolved must not fail a command that is stored.
      S evolved = evolve(loaded.state(), events);
      try {
        AppendResult appended =
            append(
                new Append(
                    stream,
                    ExpectedVersion.exactly(loaded.version()),
                    assemble(stream, events, options)));
        if (appended.version() != loaded.version() + events.size()) {
          // Another try of this command was quicker, and others were before it: what was evolved
          // here never was the state. The next round finds the command stored.
          continue;
        }
        Loaded<S> after = new Loaded<>(evolved, appended.version(), appended.position());
        saveSnapshotIfDue(stream, loaded.version(), after);
        return new CommandResult<>(
            after.state(), after.version(), after.position(), events, conflicts);
      } catch (VersionConflictException conflict) {
        if (conflicts + 1 >= retryPolicy.maxAttempts()) {
          throw new TooManyConflictsException(conflicts + 1, conflict);
        }
        pauseAfter(stream, conflicts + 1, conflict);
        loaded = catchUp(stream, loaded);
      } catch (DuplicateEventException e) {
        // Unless another try of this command has decided otherwise, on a newer state.
        if (!isRepeated(stream, options)) {
          throw e;
        }
      }
    }
  }

  /**
   * Whether an idempotent command has stored events of an aggregate before.
   *
   * @param commandId as it was or would be given in the command's options
   */
  public boolean isStored(String id, UUID commandId) {
    return findEarlier(StreamId.of(category, id), commandId).isPresent();
  }

  /** Reads an aggregate as it is now; at version 0 in its initial state if it does not exist. */
  public Loaded<S> load(String id) {
    return load(StreamId.of(category, id));
  }

  Loaded<S> load(StreamId stream) {
    Loaded<S> initial = new Loaded<>(initial(), 0, Position.START);
    if (snapshots != null) {
      Optional<Loaded<S>> snapshot = snapshots.load(stream);
      if (snapshot.isPresent()) {
        // The snapshot's own event is read again: if it is not there, the snapshot is newer than
        // its stream, such as after a restored backup, and must not be used.
        Iterator<RecordedEvent> tail = store.readFrom(stream, snapshot.get().version()).iterator();
        if (tail.hasNext()) {
          Position position = tail.next().position();
          return evolve(
              new Loaded<>(snapshot.get().state(), snapshot.get().version(), position), tail);
        }
        snapshots.countUnusable(stream, "it is newer than its stream");
      }
    }
    return catchUp(stream, initial);
  }

  Loaded<S> catchUp(StreamId stream, Loaded<S> from) {
    return evolve(from, store.readFrom(stream, from.version() + 1).iterator());
  }

  private Loaded<S> evolve(Loaded<S> from, Iterator<RecordedEvent> events) {
    S state = from.state();
    long version = from.version();
    Position position = from.position();
    while (events.hasNext()) {
      RecordedEvent recorded = events.next();
      state = evolve(state, codec.decode(recorded, eventClass));
      version = recorded.version();
      position = recorded.position();
    }
    return new Loaded<>(state, version, position);
  }

  S evolve(S from, List<E> events) {
    S state = from;
    for (E event : events) {
      state = evolve(state, event);
    }
    return state;
  }

  private S evolve(S from, E event) {
    S state = decider.evolve(from, event);
    if (state == null) {
      throw bug("evolve", "a state for every event", event);
    }
    return state;
  }

  private S initial() {
    S state = decider.initial();
    if (state == null) {
      throw bug("initial", "the state before the first event", null);
    }
    return state;
  }

  private IllegalStateException bug(String function, String wanted, @Nullable Object argument) {
    return new IllegalStateException(
        "'"
            + function
            + "' of the category '"
            + category
            + "' has returned null"
            + (argument == null ? "" : " for a " + argument.getClass().getName())
            + ", which is a bug in it: return "
            + wanted);
  }

  /** Whether the events of an idempotent command are stored already. */
  boolean isRepeated(StreamId stream, CommandOptions options) {
    return options.commandId().flatMap(id -> findEarlier(stream, id)).isPresent();
  }

  List<E> decide(StreamId stream, C command, Loaded<S> loaded, CommandOptions options) {
    refuseIfChanged(stream, loaded, options);
    List<E> events = decider.decide(command, loaded.state());
    if (events == null || events.stream().anyMatch(Objects::isNull)) {
      throw bug("decide", "events, or an empty list if nothing is to change", command);
    }
    return events;
  }

  void saveSnapshotIfDue(StreamId stream, long versionBefore, Loaded<S> after) {
    if (snapshots != null) {
      snapshots.saveIfDue(stream, versionBefore, after);
    }
  }

  int maxAttempts() {
    return retryPolicy.maxAttempts();
  }

  void pauseAfter(StreamId stream, int failedAttempts, RuntimeException reason) {
    onRetry.accept(stream);
    pause(retryPolicy.pauseAfter(failedAttempts).toNanos(), reason);
  }

  private Optional<StoredEvent> findEarlier(StreamId stream, UUID commandId) {
    Optional<StoredEvent> earlier = store.find(eventId(commandId, 0));
    earlier
        .filter(event -> !event.stream().equals(stream))
        .ifPresent(
            event -> {
              throw new DuplicateEventException(
                  stream, event.id(), event.stream(), event.version());
            });
    return earlier;
  }

  private void refuseIfChanged(StreamId stream, Loaded<S> loaded, CommandOptions options) {
    options
        .unchangedSince()
        .ifPresent(
            version -> {
              if (loaded.version() != version) {
                throw new VersionConflictException(
                    stream, ExpectedVersion.exactly(version), loaded.version());
              }
            });
  }

  List<NewEvent> assemble(StreamId stream, List<E> events, CommandOptions options) {
    Instant now = clock.instant();
    List<NewEvent> assembled = new ArrayList<>(events.size());
    for (E event : events) {
      int index = assembled.size();
      UUID id = options.commandId().map(key -> eventId(key, index)).orElseGet(EventIds::next);
      assembled.add(assembler.assemble(stream, id, now, options.metadata(), event));
    }
    return assembled;
  }

  private static UUID eventId(UUID commandId, int index) {
    return EventIds.derived(commandId, "event/" + index);
  }

  /** Appends; repeats with the same event ids, which stores nothing twice, if the reply is lost. */
  AppendResult append(Append append) {
    for (int tries = 1; ; tries++) {
      try {
        return store.append(append);
      } catch (StoreUnavailableException e) {
        if (tries == TRIES_WHILE_UNAVAILABLE) {
          throw e;
        }
        pause(retryPolicy.pauseAfter(tries).toNanos(), e);
      }
    }
  }

  private static void pause(long nanos, RuntimeException reason) {
    try {
      Thread.sleep(nanos / 1_000_000, (int) (nanos % 1_000_000));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw reason;
    }
  }

  /**
   * Collects what a handler works with. Not safe for concurrent use.
   *
   * @param <C> commands
   * @param <S> the aggregate's state
   * @param <E> the aggregate's domain events
   */
  public static final class Builder<C, S, E extends DomainEvent> {

    private final Storage storage;
    private final EventCodec codec;
    private final String category;
    private final Class<E> eventClass;
    private final Decider<C, S, E> decider;
    private Translation translation = Translation.none();
    private RetryPolicy retryPolicy = RetryPolicy.DEFAULT;
    private @Nullable SnapshotPolicy<S> snapshotPolicy;
    private Clock clock = Clock.systemUTC();
    private Consumer<StreamId> onRetry = stream -> {};
    private int cachedAggregates;

    private Builder(
        Storage storage,
        EventCodec codec,
        String category,
        Class<E> eventClass,
        Decider<C, S, E> decider) {
      this.storage = storage;
      this.codec = codec;
      this.category = category;
      this.eventClass = eventClass;
      this.decider = decider;
    }

    /** What leaves the bounded context; nothing by default. */
    public Builder<C, S, E> translation(Translation translation) {
      this.translation = translation;
      return this;
    }

    /** How conflicts are retried; {@link RetryPolicy#DEFAULT} by default. */
    public Builder<C, S, E> retries(RetryPolicy retryPolicy) {
      this.retryPolicy = retryPolicy;
      return this;
    }

    /** That snapshots are taken; none by default. An {@link AggregateRoot} can't have any. */
    public Builder<C, S, E> snapshots(SnapshotPolicy<S> snapshotPolicy) {
      this.snapshotPolicy = snapshotPolicy;
      return this;
    }

    /**
     * Runs the commands of one aggregate one after the other in this process, with its state kept
     * in memory, so that they don't meet conflicts among themselves; those that wait for the same
     * aggregate share an append. The version check stays, for other processes. Off by default.
     *
     * @param cachedAggregates how many states are kept in memory at most, 1 or more
     */
    public Builder<C, S, E> singleWriter(int cachedAggregates) {
      if (cachedAggregates < 1) {
        throw new IllegalArgumentException(
            "a single writer keeps 1 or more states, not " + cachedAggregates);
      }
      this.cachedAggregates = cachedAggregates;
      return this;
    }

    /**
     * Called each time that a command has met a conflict and is about to be decided again, such as
     * to count it: on the command's thread, and must return at once.
     */
    public Builder<C, S, E> onRetry(Consumer<StreamId> onRetry) {
      this.onRetry = onRetry;
      return this;
    }

    /** Where the time of events comes from; the system's clock by default. */
    public Builder<C, S, E> clock(Clock clock) {
      this.clock = clock;
      return this;
    }

    /**
     * Builds the handler.
     *
     * @throws IllegalArgumentException if the category is none, or one of the event classes is not
     *     registered with the codec: of a sealed interface each one, otherwise at least one; or if
     *     snapshots are to be taken of an {@link AggregateRoot}
     */
    public CommandHandler<C, S, E> build() {
      StreamId.checkedCategory(category);
      refuseUnregistered(eventClass);
      if (snapshotPolicy != null
          && snapshotPolicy.stateClass().equals(AggregateDecider.History.class)) {
        throw new IllegalArgumentException(
            "the aggregates of category '"
                + category
                + "' can't have snapshots, because the state of an AggregateRoot is its history; leave"
                + " snapshots(…) out, or write them as a Decider");
      }
      return new CommandHandler<>(this);
    }

    private void refuseUnregistered(Class<?> type) {
      if (type.isSealed()) {
        for (Class<?> permitted : type.getPermittedSubclasses()) {
          refuseUnregistered(permitted);
        }
      } else if (codec.types().namesByClass().keySet().stream().noneMatch(type::isAssignableFrom)) {
        throw new IllegalArgumentException(
            "the events of category '"
                + category
                + "' can't be stored, because "
                + type.getName()
                + " has no registered event type name; give it an @EventType and register it with"
                + " the EventTypes of the handler's codec");
      }
    }
  }
}
