package dev.sluice.core.serialization;

import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.UnregisteredTypeException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.RecordedEvent;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * Turns domain events into type names and bytes, and stored events back, in the form that the code
 * of today knows. Immutable, and safe for use by any number of threads.
 */
public final class EventCodec {

  private final EventTypes<DomainEvent> types;
  private final Serializer serializer;
  private final Map<Class<?>, Function<DomainEvent, DomainEvent>> upcasters;

  private EventCodec(
      EventTypes<DomainEvent> types,
      Serializer serializer,
      Map<Class<?>, Function<DomainEvent, DomainEvent>> upcasters) {
    this.types = types;
    this.serializer = serializer;
    this.upcasters = Map.copyOf(upcasters);
  }

  /** A codec for the events of a registry. */
  public static EventCodec of(EventTypes<DomainEvent> types, Serializer serializer) {
    return new EventCodec(types, serializer, Map.of());
  }

  /**
   * A copy that turns each stored event of a former class into one of a newer class when it is
   * read. What is stored stays as it is. The result may be of a former class, too.
   *
   * @param former a registered class that is no longer written
   */
  public <E extends DomainEvent> EventCodec withUpcaster(
      Class<E> former, Function<? super E, ? extends DomainEvent> upcaster) {
    types.nameOf(former);
    Map<Class<?>, Function<DomainEvent, DomainEvent>> copy = new HashMap<>(upcasters);
    if (copy.put(former, event -> upcaster.apply(former.cast(event))) != null) {
      throw new IllegalArgumentException(former.getName() + " already has an upcaster");
    }
    return new EventCodec(types, serializer, copy);
  }

  /** The registry. */
  public EventTypes<DomainEvent> types() {
    return types;
  }

  /** The serializer of payloads, metadata and snapshots. */
  public Serializer serializer() {
    return serializer;
  }

  /**
   * The name under which an event is stored.
   *
   * @throws UnregisteredTypeException if its class has none
   */
  public String typeOf(DomainEvent event) {
    return types.nameOf(event.getClass());
  }

  /**
   * The bytes of an event.
   *
   * @throws SerializationException if it can't be serialised
   */
  public Payload encode(DomainEvent event) {
    return serializer.write(event);
  }

  /**
   * A stored event as an object.
   *
   * @throws UnregisteredTypeException if nobody knows its type name
   * @throws SerializationException if its data can't be read, or its upcaster fails
   */
  public DomainEvent decode(RecordedEvent recorded) {
    Class<? extends DomainEvent> type =
        types
            .classOf(recorded.type())
            .orElseThrow(
                () ->
                    new UnregisteredTypeException(
                        "the stored event type '"
                            + recorded.type()
                            + "' ("
                            + place(recorded)
                            + ") has no registered class; register it with EventTypes, as an alias"
                            + " if it was renamed"));
    DomainEvent event;
    try {
      event = serializer.read(recorded.data(), type);
    } catch (SerializationException e) {
      throw new SerializationException(place(recorded) + ": " + e.getMessage(), e);
    }
    int steps = 0;
    for (var upcaster = upcasters.get(event.getClass());
        upcaster != null;
        upcaster = upcasters.get(event.getClass())) {
      if (++steps > upcasters.size()) {
        throw new IllegalStateException(
            "the upcasters of " + type.getName() + " lead back to where they began");
      }
      event = lift(recorded, event, upcaster);
    }
    return event;
  }

  private static DomainEvent lift(
      RecordedEvent recorded, DomainEvent event, Function<DomainEvent, DomainEvent> upcaster) {
    DomainEvent lifted;
    try {
      lifted = upcaster.apply(event);
    } catch (RuntimeException e) {
      throw upcasterBug(recorded, event, "has thrown a " + e.getClass().getName(), e);
    }
    if (lifted == null) {
      throw upcasterBug(recorded, event, "has returned null", new NullPointerException());
    }
    return lifted;
  }

  private static SerializationException upcasterBug(
      RecordedEvent recorded, DomainEvent event, String what, RuntimeException cause) {
    return new SerializationException(
        place(recorded)
            + ": the upcaster of "
            + event.getClass().getName()
            + " "
            + what
            + ", which is a bug in it: return an event for each one that was ever stored",
        cause);
  }

  private static String place(RecordedEvent recorded) {
    return recorded.stream() + ", version " + recorded.version();
  }

  /**
   * A stored event as one of the classes that its reader expects.
   *
   * @throws UnregisteredTypeException if nobody knows its type name
   * @throws SerializationException if its data can't be read, or its upcaster fails
   * @throws IllegalStateException if it is of another class
   */
  public <E extends DomainEvent> E decode(RecordedEvent recorded, Class<E> expected) {
    DomainEvent event = decode(recorded);
    if (!expected.isInstance(event)) {
      throw new IllegalStateException(
          place(recorded)
              + ", is a "
              + event.getClass().getName()
              + ", not a "
              + expected.getName()
              + "; if it is a former class, add an upcaster with EventCodec.withUpcaster, otherwise"
              + " give each kind of aggregate or process a category of its own");
    }
    return expected.cast(event);
  }

  /**
   * The stored type names of all events that may be read as one of these classes: those of the
   * classes and their subclasses, with former names, and those of all former classes that have an
   * upcaster.
   */
  public Set<String> storedTypes(Collection<? extends Class<?>> classes) {
    Set<String> names = new TreeSet<>();
    for (String name : types.names()) {
      Class<?> stored = types.classOf(name).orElseThrow();
      if (upcasters.containsKey(stored)
          || classes.stream().anyMatch(wanted -> wanted.isAssignableFrom(stored))) {
        names.add(name);
      }
    }
    return names;
  }

  /** The registered classes that a stored event can be of once it is read: no former ones. */
  public Set<Class<?>> currentClasses() {
    Set<Class<?>> classes = new LinkedHashSet<>();
    for (String name : types.names()) {
      Class<?> stored = types.classOf(name).orElseThrow();
      if (!upcasters.containsKey(stored)) {
        classes.add(stored);
      }
    }
    return classes;
  }

  /** The bytes of metadata; none for none. */
  public Payload encode(Metadata metadata) {
    return metadata.values().isEmpty() ? Payload.EMPTY : serializer.write(metadata.values());
  }

  /**
   * A stored event's metadata.
   *
   * @throws SerializationException if it can't be read
   */
  public Metadata decodeMetadata(RecordedEvent recorded) {
    return recorded.metadata().isEmpty()
        ? Metadata.EMPTY
        : new Metadata(serializer.read(recorded.metadata(), StringMap.class));
  }

  private static final class StringMap extends HashMap<String, String> {
    private static final long serialVersionUID = 1L;
  }
}
