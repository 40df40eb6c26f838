package dev.sluice.core.aggregate;

import dev.sluice.core.event.DomainEvent;
import java.util.List;

/**
 * The rules of an aggregate as three pure functions. After Jérémie Chassaing, "Functional Event
 * Sourcing Decider" (2021).
 *
 * <p>A command may be decided more than once, each time on a newer state, until its events are
 * stored: decide has no side effects. Neither function changes the state that it is given. Safe for
 * use by any number of threads.
 *
 * @param <C> commands
 * @param <S> the state, never null
 * @param <E> the aggregate's domain events
 */
public interface Decider<C, S, E extends DomainEvent> {

  /** The state before the first event. */
  S initial();

  /** The state after an event. Must accept every event that was ever stored. */
  S evolve(S state, E event);

  /**
   * The events that a command leads to; none if nothing is to change. A refusal for reasons of
   * business is whatever exception the domain likes, or an event; it is never retried.
   */
  List<E> decide(C command, S state);
}
