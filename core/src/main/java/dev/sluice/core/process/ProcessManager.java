package dev.sluice.core.process;

import dev.sluice.core.Position;
import dev.sluice.core.SluiceException;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandOptions;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.aggregate.Loaded;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Partition;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.TimedHandler;
import dev.sluice.core.translation.Source;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
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
   * The subscription that runs the processes, in one partition, to be started with {@code
   * Subscriptions}. Its name is the category.
   *
   * @param failures what happens if a step can't be done; parking lets other processes go on
   * @param reactsTo the categories of the events that processes react to
   */
  public Subscription subscription(FailurePolicy failures, String... reactsTo) {
    return subscription(1, failures, reactsTo);
  }

  /**
   * The same in several partitions, which are worked on at the same time, also by several Java
   * processes. Reactions to events of different streams then come in any order, unless one of the
   * events was caused by what the other led to.
   *
   * @param partitions fixed once the subscription was started, see {@link
   *     Subscription.Builder#partitions}
   */
  public Subscription subscription(int partitions, FailurePolicy failures, String... reactsTo) {
    Set<String> categories = new HashSet<>(List.of(reactsTo));
    categories.add(category);
    return Subscription.named(category)
        .filter(new EventFilter(categories, Set.of()))
        .partitions(partitions)
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

  /** What one owner of one partition does; on its thread only. */
  private final class Handler implements TimedHandler {

    private final Deadlines<E, S> deadlines;

    Handler(Partition partition) {
      this.deadlines = new Deadlines<>(storage, category, partition, this::actions, this::reached);
    }

    @Override
    public void handle(RecordedEvent recorded) {
      if (recorded.stream().category().equals(category)) {
        act(recorded);
      } else {
        react(recorded);
      }
      deadlines.moved();
    }

    private void react(RecordedEvent recorded) {
      if (codec.types().classOf(recorded.type()).isEmpty()) {
        return;
      }
      DomainEvent event = codec.decode(recorded);
      Source source =
          new Source(
              recorded.stream(), recorded.id(), recorded.time(), codec.decodeMetadata(recorded));
      notNull("processOf", event, definition.processOf(event, source))
          .ifPresent(
              processId ->
                  store(
                      processId,
                      state -> notNull("react", event, definition.react(state, event, source)),
                      recorded,
                      EventIds.derived(recorded.id(), category)));
    }

    private void act(RecordedEvent recorded) {
      List<ProcessAction<E, S>> actions = actions(recorded);
      // First: a time-out is there also for commands that can't be issued.
      deadlines.add(recorded, actions);
      for (int i = 0; i < actions.size(); i++) {
        if (actions.get(i) instanceof ProcessAction.Command<E, S, ?> command) {
          issue(recorded.stream().id(), recorded, i, command);
        }
      }
    }

    private List<ProcessAction<E, S>> actions(RecordedEvent recorded) {
      E event = codec.decode(recorded, eventClass);
      return notNull("actions", event, definition.actions(recorded.stream().id(), event));
    }

    private <T> T notNull(String function, DomainEvent event, T result) {
      if (result == null) {
        throw new IllegalStateException(
            "'"
                + function
                + "' of the process '"
                + category
                + "' has returned null for a "
                + event.getClass().getName()
                + ", which is a bug in it: return an empty result instead");
      }
      return result;
    }

    private <R extends RuntimeException> void issue(
        String processId,
        RecordedEvent recorded,
        int index,
        ProcessAction.Command<E, S, R> command) {
      UUID id = EventIds.derived(recorded.id(), "command/" + index);
      UUID refusal = EventIds.derived(recorded.id(), "refused/" + index);
      if (processes.isStored(processId, refusal)) {
        // It was refused before a crash. The aggregate may see it otherwise by now, but the process
        // has gone on from the refusal.
        return;
      }
      CommandOptions options =
          CommandOptions.DEFAULT.withCommandId(id).withMetadata(metadata(processId, recorded));
      try {
        command.issue().accept(options);
      } catch (RuntimeException e) {
        if (!command.refusal().isInstance(e) || e instanceof SluiceException) {
          throw e;
        }
        R refused = command.refusal().cast(e);
        store(processId, state -> command.refused().apply(refused), recorded, refusal);
      }
    }

    private void reached(RecordedEvent recorded, int index, ProcessAction.Deadline<E, S> deadline) {
      store(
          recorded.stream().id(),
          state -> deadline.due().apply(state),
          recorded,
          EventIds.derived(recorded.id(), "deadline/" + index));
    }

    @Override
    public Instant nextTime() {
      return deadlines.nextTime();
    }

    @Override
    public void onTime(Instant now, Position passed, Position complete) {
      deadlines.onTime(now, passed, complete);
    }
  }
}
