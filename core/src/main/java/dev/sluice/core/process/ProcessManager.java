package dev.sluice.core.process;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.SluiceException;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandOptions;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.aggregate.Loaded;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Partition;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.TimedHandler;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;

/**
 * Runs the processes of one kind, each as a stream of its own events. Safe for use by any number of
 * threads.
 *
 * <p>It works in two steps, each of which can be repeated without harm: an event from elsewhere
 * leads to events of the process, stored under ids derived from the event's; and each stored event
 * of the process leads to its actions, whose commands have ids derived from that event's. So a
 * repeated delivery, or a crash at any moment, repeats no command, and none is forgotten.
 *
 * @param <S> a process's state
 * @param <E> a process's own events
 */
public final class ProcessManager<S, E extends DomainEvent> {

  private static final int PAGE = 500;

  private final Storage storage;
  private final EventCodec codec;
  private final String category;
  private final Class<E> eventClass;
  private final ProcessDefinition<S, E> definition;
  private final CommandHandler<Function<S, List<E>>, S, E> processes;

  /**
   * Processes of one kind.
   *
   * @param codec knows the process's own events and those that it reacts to
   * @param category of the processes' streams, used by nothing else
   * @param eventClass what the process's own events have in common
   */
  public ProcessManager(
      Storage storage,
      EventCodec codec,
      String category,
      Class<E> eventClass,
      ProcessDefinition<S, E> definition) {
    this.storage = storage;
    this.codec = codec;
    this.category = category;
    this.eventClass = eventClass;
    this.definition = definition;
    this.processes =
        CommandHandler.builder(storage, codec, category, eventClass, new Reactions<>(definition))
            .build();
  }

  /**
   * The subscription that runs the processes, to be started with {@code Subscriptions}. Its name is
   * the category.
   *
   * @param failures what happens if a step can't be done; parking lets other processes go on
   * @param reactsTo the categories of the events that processes react to
   */
  public Subscription subscription(FailurePolicy failures, String... reactsTo) {
    Set<String> categories = new HashSet<>(List.of(reactsTo));
    categories.add(category);
    return Subscription.named(category)
        .filter(new EventFilter(categories, Set.of()))
        .failures(failures)
        .handlers(Handler::new);
  }

  /** A process as it is now. */
  public Loaded<S> load(String processId) {
    return processes.load(processId);
  }

  private void store(String processId, Function<S, List<E>> decide, RecordedEvent cause, UUID id) {
    processes.handle(
        processId,
        decide,
        CommandOptions.DEFAULT.withCommandId(id).withMetadata(metadata(processId, cause)));
  }

  private static Metadata metadata(String processId, RecordedEvent cause) {
    return Metadata.EMPTY.withCorrelationId(processId).withCausationId(cause.id().toString());
  }

  /** A process's stream is written with functions as commands. */
  private record Reactions<S, E extends DomainEvent>(ProcessDefinition<S, E> definition)
      implements Decider<Function<S, List<E>>, S, E> {

    @Override
    public S initial() {
      return definition.initial();
    }

    @Override
    public S evolve(S state, E event) {
      return definition.evolve(state, event);
    }

    @Override
    public List<E> decide(Function<S, List<E>> command, S state) {
      return command.apply(state);
    }
  }

  /** A deadline that has not been reached. */
  private record Pending<E extends DomainEvent, S>(
      RecordedEvent event, int index, ProcessAction.Deadline<E, S> deadline) {}

  /** What one owner of one partition does; on its thread only. */
  private final class Handler implements TimedHandler {

    private final Partition partition;
    private final String name;
    private final PriorityQueue<Pending<E, S>> pending =
        new PriorityQueue<>(Comparator.comparing((Pending<E, S> p) -> p.deadline().at()));
    private boolean found;
    private Position seen = Position.START;

    Handler(Partition partition) {
      this.partition = partition;
      this.name = "process-deadlines/" + category + "/" + partition.index();
    }

    @Override
    public void handle(RecordedEvent recorded) {
      findDeadlines(recorded.position());
      if (recorded.stream().category().equals(category)) {
        act(recorded);
      } else {
        react(recorded);
      }
      seen = recorded.position();
    }

    private void react(RecordedEvent recorded) {
      if (codec.types().classOf(recorded.type()).isEmpty()) {
        return;
      }
      DomainEvent event = codec.decode(recorded);
      definition
          .processOf(event, codec.decodeMetadata(recorded))
          .ifPresent(
              processId ->
                  store(
                      processId,
                      state -> definition.react(state, event),
                      recorded,
                      EventIds.derived(recorded.id(), category)));
    }

    private void act(RecordedEvent recorded) {
      String processId = recorded.stream().id();
      int index = 0;
      for (ProcessAction<E, S> action : actions(recorded)) {
        switch (action) {
          case ProcessAction.Command<E, S> command -> issue(processId, recorded, index, command);
          case ProcessAction.Deadline<E, S> deadline ->
              pending.add(new Pending<>(recorded, index, deadline));
        }
        index++;
      }
    }

    private List<ProcessAction<E, S>> actions(RecordedEvent recorded) {
      return definition.actions(recorded.stream().id(), eventClass.cast(codec.decode(recorded)));
    }

    private void issue(
        String processId, RecordedEvent recorded, int index, ProcessAction.Command<E, S> command) {
      UUID id = EventIds.derived(recorded.id(), "command/" + index);
      UUID refusal = EventIds.derived(recorded.id(), "refused/" + index);
      if (processes.isStored(processId, refusal)) {
        // It was refused before a crash. The aggregate may see it otherwise by now, but the process
        // has gone on from the refusal.
        return;
      }
      try {
        command
            .issue()
            .accept(
                CommandOptions.DEFAULT
                    .withCommandId(id)
                    .withMetadata(metadata(processId, recorded)));
      } catch (SluiceException e) {
        throw e;
      } catch (RuntimeException e) {
        store(processId, state -> command.refused().apply(e), recorded, refusal);
      }
    }

    @Override
    public Instant nextTime() {
      if (!found) {
        return Instant.MIN;
      }
      Pending<E, S> next = pending.peek();
      return next == null ? Instant.MAX : next.deadline().at();
    }

    @Override
    public void onTime(Instant now) {
      findDeadlines(new Position(Long.MAX_VALUE));
      boolean any = false;
      for (Pending<E, S> next = pending.peek();
          next != null && !next.deadline().at().isAfter(now);
          next = pending.peek()) {
        Pending<E, S> due = next;
        store(
            due.event().stream().id(),
            state -> due.deadline().due().apply(state),
            due.event(),
            EventIds.derived(due.event().id(), "deadline/" + due.index()));
        pending.remove();
        any = true;
      }
      if (any) {
        saveMark();
      }
    }

    /** Once, at the begin: the deadlines of the events before the first one that comes here. */
    private void findDeadlines(Position before) {
      if (found) {
        return;
      }
      Position cursor =
          storage.checkpoints().load(name).map(Checkpoint::position).orElse(Position.START);
      EventFilter filter = EventFilter.categories(category);
      while (true) {
        LogPage page = storage.globalLog().read(cursor, filter, PAGE);
        for (RecordedEvent event : page.events()) {
          if (!before.isAfter(event.position())) {
            found = true;
            return;
          }
          if (partition.contains(event.stream())) {
            int index = 0;
            for (ProcessAction<E, S> action : actions(event)) {
              if (action instanceof ProcessAction.Deadline<E, S> deadline) {
                pending.add(new Pending<>(event, index, deadline));
              }
              index++;
            }
          }
          seen = event.position();
        }
        if (!page.more()) {
          found = true;
          return;
        }
        cursor = page.next();
      }
    }

    /**
     * Notes behind which event the next owner has to look for deadlines. Only to spare it work:
     * deadlines that are found twice have no effect twice.
     */
    private void saveMark() {
      Position mark =
          pending.stream()
              .map(next -> new Position(next.event().position().value() - 1))
              .min(Position::compareTo)
              .orElse(seen);
      Optional<Checkpoint> stored = storage.checkpoints().load(name);
      if (stored.isPresent() && !mark.isAfter(stored.get().position())) {
        return;
      }
      try {
        storage
            .checkpoints()
            .save(
                stored
                    .map(last -> last.next(mark, Payload.EMPTY, 0))
                    .orElseGet(() -> Checkpoint.first(name, mark, Payload.EMPTY, 0)));
      } catch (CheckpointConflictException e) {
        // A next owner has noted it already.
      }
    }
  }
}
