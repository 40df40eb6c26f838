package dev.sluice.core.aggregate;

import dev.sluice.core.event.DomainEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Runs aggregates in the style of classes on the loop for deciders: a command is a call of a
 * method, and the state is the history, from which each call gets an instance of its own.
 *
 * @param <A> the aggregate's class
 * @param <E> its domain events
 */
public final class AggregateDecider<A extends AggregateRoot<E>, E extends DomainEvent>
    implements Decider<Consumer<A>, AggregateDecider.History<A, E>, E> {

  private final Supplier<A> constructor;

  private AggregateDecider(Supplier<A> constructor) {
    this.constructor = constructor;
  }

  /** For a class whose constructor makes an instance before its first event. */
  public static <A extends AggregateRoot<E>, E extends DomainEvent> AggregateDecider<A, E> of(
      Supplier<A> constructor) {
    return new AggregateDecider<>(constructor);
  }

  @Override
  public History<A, E> initial() {
    return new History<>(constructor, new ArrayList<>(), 0);
  }

  @Override
  public History<A, E> evolve(History<A, E> state, E event) {
    return state.plus(event);
  }

  @Override
  public List<E> decide(Consumer<A> command, History<A, E> state) {
    A aggregate = state.aggregate();
    command.accept(aggregate);
    return aggregate.raised();
  }

  /**
   * An aggregate's events so far.
   *
   * @param <A> the aggregate's class
   * @param <E> its domain events
   */
  public static final class History<A extends AggregateRoot<E>, E extends DomainEvent> {

    private final Supplier<A> constructor;
    // Shared by the histories that grew out of one another, each of which sees its first events
    // only: so adding an event costs no copy, and yet no history ever changes.
    private final List<E> events;
    private final int size;

    private History(Supplier<A> constructor, List<E> events, int size) {
      this.constructor = constructor;
      this.events = events;
      this.size = size;
    }

    /** A new instance with all events applied. */
    public A aggregate() {
      A aggregate = constructor.get();
      synchronized (events) {
        events.subList(0, size).forEach(aggregate::replay);
      }
      return aggregate;
    }

    private History<A, E> plus(E event) {
      synchronized (events) {
        List<E> target = events.size() == size ? events : new ArrayList<>(events.subList(0, size));
        target.add(event);
        return new History<>(constructor, target, size + 1);
      }
    }
  }
}
