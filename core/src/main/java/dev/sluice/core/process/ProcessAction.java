package dev.sluice.core.process;

import dev.sluice.core.SluiceException;
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
   * Issues a command to an aggregate. What it throws that is no refusal makes the process's event
   * be tried again, as its subscription's {@code FailurePolicy} says: an outage, and also a bug.
   *
   * @param <R> what the aggregate refuses with
   * @param issue calls a command handler with these options, which make the command idempotent and
   *     name the process as its correlation id
   * @param refusal the class of the exceptions that are refusals; not a {@link SluiceException},
   *     which is technical and never a refusal
   * @param refused the own events that a refusal leads to
   */
  record Command<E extends DomainEvent, S, R extends RuntimeException>(
      Consumer<CommandOptions> issue, Class<R> refusal, Function<? super R, List<E>> refused)
      implements ProcessAction<E, S> {

    /**
     * See above.
     *
     * @throws IllegalArgumentException if the refusal is a {@link SluiceException}
     */
    public Command {
      if (SluiceException.class.isAssignableFrom(refusal)) {
        throw new IllegalArgumentException(
            refusal.getName()
                + " is technical, and no refusal: what throws it is tried again. Name the class"
                + " that the aggregate refuses with");
      }
    }
  }

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
