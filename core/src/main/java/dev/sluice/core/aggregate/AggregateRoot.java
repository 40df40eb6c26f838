package dev.sluice.core.aggregate;

import dev.sluice.core.event.DomainEvent;
import java.util.ArrayList;
import java.util.List;

/**
 * An aggregate in the style of classes: methods check the rules and {@link #raise} events, and
 * {@link #apply} changes the fields. Run it with {@link AggregateDecider}. Not safe for use by
 * several threads; each command gets an instance of its own.
 *
 * @param <E> the aggregate's domain events
 */
public abstract class AggregateRoot<E extends DomainEvent> {

  private final List<E> raised = new ArrayList<>();

  /** Changes the fields, and nothing else. Called for stored events and for those just raised. */
  protected abstract void apply(E event);

  /** Applies a new event, and remembers it to be stored when the command's method returns. */
  protected final void raise(E event) {
    apply(event);
    raised.add(event);
  }

  final void replay(E event) {
    apply(event);
  }

  final List<E> raised() {
    return List.copyOf(raised);
  }
}
