package dev.sluice.core;

import java.lang.reflect.Modifier;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The names of event classes: explicit, unique, and independent of class names, so that a renamed
 * class still reads what was stored before. Immutable.
 *
 * @param <T> the marker that all classes share, such as {@code DomainEvent}
 */
public final class EventTypes<T> {

  private static final Pattern NAME = Pattern.compile("[A-Za-z][A-Za-z0-9._-]{0,127}");

  private final Map<String, Class<? extends T>> classes;
  private final Map<Class<?>, String> names;

  private EventTypes(Map<String, Class<? extends T>> classes, Map<Class<?>, String> names) {
    this.classes = Collections.unmodifiableMap(new LinkedHashMap<>(classes));
    this.names = Collections.unmodifiableMap(new LinkedHashMap<>(names));
  }

  /**
   * The events of a sealed interface, or of one class, by their {@link EventType} annotations.
   *
   * @throws IllegalArgumentException if a class has no annotation, two have the same name, or an
   *     interface is not sealed
   */
  public static <T> EventTypes<T> of(Class<? extends T> root) {
    return EventTypes.<T>builder().addAll(root).build();
  }

  /** Starts an empty registry. */
  public static <T> Builder<T> builder() {
    return new Builder<>();
  }

  /**
   * The name of an event's class.
   *
   * @throws UnregisteredTypeException if the class has none
   */
  public String nameOf(Class<?> eventClass) {
    String name = names.get(eventClass);
    if (name == null) {
      throw new UnregisteredTypeException(
          eventClass.getName()
              + " has no registered event type name; give it an @EventType and register it with"
              + " EventTypes");
    }
    return name;
  }

  /** The class for a name, also for an old name that was given as an alias. */
  public Optional<Class<? extends T>> classOf(String name) {
    return Optional.ofNullable(classes.get(name));
  }

  /** All names that can be read, in order of registration, aliases included. */
  public Set<String> names() {
    return classes.keySet();
  }

  /** Each class with the name under which it is written, in order of registration. */
  public Map<Class<?>, String> namesByClass() {
    return names;
  }

  /**
   * Collects names. Not safe for concurrent use.
   *
   * @param <T> the marker that all classes share
   */
  public static final class Builder<T> {

    private final Map<String, Class<? extends T>> classes = new LinkedHashMap<>();
    private final Map<Class<?>, String> names = new LinkedHashMap<>();

    private Builder() {}

    /** Registers a class under the name that it is written with from now on. */
    public Builder<T> add(String name, Class<? extends T> eventClass) {
      if (names.containsKey(eventClass)) {
        throw new IllegalArgumentException(
            eventClass.getName() + " already has the event type name " + names.get(eventClass));
      }
      bind(name, eventClass);
      names.put(eventClass, name);
      return this;
    }

    /** Registers a former name, which is read but no longer written. */
    public Builder<T> alias(String formerName, Class<? extends T> eventClass) {
      bind(formerName, eventClass);
      return this;
    }

    /** Registers all classes of a sealed interface, or one class, by their annotations. */
    public Builder<T> addAll(Class<? extends T> root) {
      if (root.isSealed()) {
        for (Class<?> permitted : root.getPermittedSubclasses()) {
          addAll(permitted.asSubclass(root));
        }
        return this;
      }
      if (Modifier.isAbstract(root.getModifiers())) {
        throw new IllegalArgumentException(
            root.getName()
                + " is not sealed, so that its classes can't be found; seal it, or add its classes");
      }
      EventType annotation = root.getAnnotation(EventType.class);
      if (annotation == null) {
        throw new IllegalArgumentException(
            root.getName()
                + " has no @EventType annotation; add one with a name that never changes");
      }
      return add(annotation.value(), root);
    }

    /** Adds all of another registry. */
    public Builder<T> addAll(EventTypes<? extends T> other) {
      other.names.forEach((eventClass, name) -> add(name, typed(other, name)));
      other.classes.forEach(
          (name, eventClass) -> {
            if (!classes.containsKey(name)) {
              alias(name, eventClass);
            }
          });
      return this;
    }

    /** Builds the registry. */
    public EventTypes<T> build() {
      return new EventTypes<>(classes, names);
    }

    private static <T> Class<? extends T> typed(EventTypes<? extends T> types, String name) {
      return types.classOf(name).orElseThrow();
    }

    private void bind(String name, Class<? extends T> eventClass) {
      if (!NAME.matcher(name).matches()) {
        throw new IllegalArgumentException(
            "'"
                + name
                + "' is not an event type name; use 1 to 128 letters, digits, '.', '_' or '-',"
                + " starting with a letter");
      }
      Class<? extends T> earlier = classes.putIfAbsent(name, eventClass);
      if (earlier != null) {
        throw new IllegalArgumentException(
            "the event type name '"
                + name
                + "' is taken by "
                + earlier.getName()
                + "; "
                + eventClass.getName()
                + " needs another one");
      }
    }
  }
}
