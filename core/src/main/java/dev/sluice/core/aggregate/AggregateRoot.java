package dev.sluice.core.aggregate;

import dev.sluice.core.event.DomainEvent;
import java.util.ArrayList;
import java.util.List;

/**
 * An aggregate in the style of classes: methods check the rules and {@link #raise} events, and
 * {@link #apply} changes the fields. Run it with {@link AggregateDecider}. Not safe for use by
 * several threads; each command gets an instance of its own.
 *
 * <p>Its state is its history, to which each command applies all events; so there are no snapshots.
 * For long streams, {@link CommandHandler.Builder#singleWriter} keeps histories in memory, which
 * saves reading them. Where applying them takes too long as well, write the aggregate as a {@link
 * Decider}, whose state may have snapshots, or go on in a new stream, such as one for each year.
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
