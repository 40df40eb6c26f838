package dev.sluice.core.process;

import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.translation.Source;
import java.util.List;
import java.util.Optional;

/**
 * The rules of one kind of process. All are pure: they may be asked more than once for the same
 * event, and a reaction is decided again on a newer state if somebody else was quicker.
 *
 * @param <S> a process's state, never null
 * @param <E> a process's own events
 */
public interface ProcessDefinition<S, E extends DomainEvent> {

  /** The state before the first event of the process. */
  S initial();

  /** The state after one of the process's own events. */
  S evolve(S state, E event);

  /**
   * Which process an event from elsewhere is about; empty if none. The events of commands that a
   * process has issued have its id as their correlation id.
   *
   * @param source the event's stream and metadata, among others
   */
  Optional<String> processOf(DomainEvent event, Source source);

  /**
   * The own events that an event from elsewhere leads to; none if it changes nothing.
   *
   * @param source the event's stream and metadata, among others
   */
  List<E> react(S state, DomainEvent event, Source source);

  /** What is to be done once an own event is stored. */
  List<ProcessAction<E, S>> actions(String processId, E event);
}
