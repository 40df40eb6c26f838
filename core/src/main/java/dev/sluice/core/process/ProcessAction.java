package dev.sluice.core.process;

import dev.sluice.core.aggregate.CommandOptions;
import dev.sluice.core.event.DomainEvent;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * What a process does once one of its events is stored.
 *
 * @param <E> the process's own events
 * @param <S> the process's state
 */
public sealed interface ProcessAction<E extends DomainEvent, S> {

  /**
   * Issues a command to an aggregate.
   *
   * @param issue calls a command handler with these options, which make the command idempotent and
   *     name the process as its correlation id
   * @param refused the own events that a refusal leads to: any exception but a {@link
   *     dev.sluice.core.SluiceException}, which is technical and makes the event be tried again. It
   *     should throw again what your aggregates don't refuse with, such as a bug's {@link
   *     NullPointerException}: then it is a failure of the event, too, and no refusal is stored
   */
  record Command<E extends DomainEvent, S>(
      Consumer<CommandOptions> issue, Function<RuntimeException, List<E>> refused)
      implements ProcessAction<E, S> {}

  /**
   * Waits for a moment, also over restarts.
   *
   * @param at when
   * @param due the own events that it leads to in the state of that moment; none if what was waited
   *     for has happened
   */
  record Deadline<E extends DomainEvent, S>(Instant at, Function<S, List<E>> due)
      implements ProcessAction<E, S> {}
}
