package dev.sluice.core.projection;

import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.subscription.EventHandler;
import dev.sluice.core.subscription.Subscription;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * How events change a view. It is written once and run in several ways: as a subscription, in the
 * adapter's own transaction with the checkpoint, or inline with the append. Immutable.
 *
 * <p>Where view and checkpoint are not saved in one transaction an event may come twice: change the
 * view only if the event's {@link RecordedEvent#position} lies behind the one that the changed part
 * of the view was last changed at.
 *
 * @param <T> what handlers write to, such as a JDBI handle or a map
 */
public final class Projection<T> {

  private final String name;
  private final EventCodec codec;
  private final Map<Class<? extends DomainEvent>, Handler<? super T, DomainEvent>> handlers;
  private final Set<String> types;
  private final Set<String> categories;

  private Projection(Builder<T> builder) {
    this.name = builder.name;
    this.codec = builder.codec;
    this.handlers = new LinkedHashMap<>(builder.handlers);
    this.categories = Set.copyOf(builder.categories);
    this.types = codec.storedTypes(handlers.keySet());
    if (handlers.isEmpty()) {
      throw new IllegalArgumentException(
          "the projection '" + name + "' handles no event; add a handler with on(…)");
    }
    handlers.keySet().forEach(this::refuseIfNeverCalled);
  }

  private void refuseIfNeverCalled(Class<?> handled) {
    if (codec.currentClasses().stream().anyMatch(handled::isAssignableFrom)) {
      return;
    }
    boolean former =
        codec.types().namesByClass().keySet().stream().anyMatch(handled::isAssignableFrom);
    throw new IllegalArgumentException(
        "the projection '"
            + name
            + "' handles "
            + handled.getName()
            + (former
                ? ", which an upcaster turns into another class before; handle that one"
                : ", which no registered event is; register its classes with the EventTypes of the"
                    + " projection's codec"));
  }

  /**
   * Starts a projection.
   *
   * @param name also of its subscription; give a view that is made anew another name, such as
   *     {@code balances:v2}
   */
  public static <T> Builder<T> named(String name, EventCodec codec) {
    return new Builder<>(name, codec);
  }

  /** The name. */
  public String name() {
    return name;
  }

  /** The events that it has handlers for. */
  public EventFilter filter() {
    return new EventFilter(categories, types);
  }

  /** A subscription with its name and its events. */
  public Subscription.Builder subscription() {
    return Subscription.named(name).filter(filter());
  }

  /** A handler that writes to a target which needs no transaction. */
  public EventHandler writingTo(T target) {
    return event -> apply(target, event);
  }

  /** Changes the view as an event says; events without a handler change nothing. */
  public void apply(T target, RecordedEvent recorded) {
    if (!types.contains(recorded.type())) {
      return;
    }
    DomainEvent event = codec.decode(recorded);
    Optional<Handler<? super T, DomainEvent>> exact =
        Optional.ofNullable(handlers.get(event.getClass()));
    exact
        .or(
            () ->
                handlers.entrySet().stream()
                    .filter(handler -> handler.getKey().isInstance(event))
                    .map(Map.Entry::getValue)
                    .findFirst())
        .ifPresent(handler -> handler.handle(target, event, recorded));
  }

  /**
   * Changes the view.
   *
   * @param <T> what it writes to
   * @param <E> the events that it is called for
   */
  @FunctionalInterface
  public interface Handler<T, E extends DomainEvent> {

    /** Changes the view as the event says. */
    void handle(T target, E event, RecordedEvent recorded);
  }

  /**
   * Collects handlers. Not safe for concurrent use.
   *
   * @param <T> what handlers write to
   */
  public static final class Builder<T> {

    private final String name;
    private final EventCodec codec;
    private final Map<Class<? extends DomainEvent>, Handler<? super T, DomainEvent>> handlers =
        new LinkedHashMap<>();
    private final Set<String> categories = new TreeSet<>();

    private Builder(String name, EventCodec codec) {
      this.name = name;
      this.codec = codec;
    }

    /** Only events of this category; call it again for more. By default those of every one. */
    public Builder<T> category(String category) {
      categories.add(StreamId.checkedCategory(category));
      return this;
    }

    /** Handles the events of a class, or of all classes of an interface that have no own one. */
    public <E extends DomainEvent> Builder<T> on(
        Class<E> type, Handler<? super T, ? super E> handler) {
      Handler<? super T, DomainEvent> untyped =
          (target, event, recorded) -> handler.handle(target, type.cast(event), recorded);
      if (handlers.put(type, untyped) != null) {
        throw new IllegalArgumentException(
            "the projection '" + name + "' has a handler for " + type.getName() + " already");
      }
      return this;
    }

    /**
     * Builds the projection.
     *
     * @throws IllegalArgumentException if a handler would never be called, because none of its
     *     classes is registered, or an upcaster turns each of them into another
     */
    public Projection<T> build() {
      return new Projection<>(this);
    }
  }
}
