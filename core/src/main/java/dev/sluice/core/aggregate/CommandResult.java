package dev.sluice.core.aggregate;

import dev.sluice.core.Position;
import dev.sluice.core.event.DomainEvent;
import java.util.List;

/**
 * What a command led to.
 *
 * @param state the aggregate's state after it
 * @param version the aggregate's version after it
 * @param position of the aggregate's last event; wait for it on a projection to read your own
 *     writes
 * @param events what was stored; empty if nothing was to change, or if the command was a repeated
 *     one
 * @param conflicts how many technical conflicts were met and retried on the way
 * @param <S> the state
 * @param <E> the aggregate's domain events
 */
public record CommandResult<S, E extends DomainEvent>(
    S state, long version, Position position, List<E> events, int conflicts) {

  /** Copies the list. */
  public CommandResult {
    events = List.copyOf(events);
  }
}
