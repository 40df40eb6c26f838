package dev.sluice.core.store;

import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which events of the global log to read: those of one of the categories <i>and</i> of one of the
 * types. An empty set stands for all.
 *
 * @param categories stream categories
 * @param types event type names
 */
public record EventFilter(Set<String> categories, Set<String> types) {

  /** Every event. */
  public static final EventFilter ALL = new EventFilter(Set.of(), Set.of());

  /**
   * Copies the sets, in an order of their own, so that equal filters read alike.
   *
   * @throws IllegalArgumentException if no stream can have one of the categories
   */
  public EventFilter {
    categories.forEach(StreamId::checkedCategory);
    categories = Collections.unmodifiableSortedSet(new TreeSet<>(categories));
    types = Collections.unmodifiableSortedSet(new TreeSet<>(types));
  }

  /** The events of these categories. */
  public static EventFilter categories(String... categories) {
    return new EventFilter(Set.of(categories), Set.of());
  }

  /** The events of these types. */
  public static EventFilter types(String... types) {
    return new EventFilter(Set.of(), Set.of(types));
  }

  /** A copy that lets through these types only. */
  public EventFilter withTypes(Set<String> types) {
    return new EventFilter(categories, types);
  }

  /** Whether an event is let through. */
  public boolean matches(RecordedEvent event) {
    return matches(event.stream().category(), event.type());
  }

  /** Whether an event of this category and type is let through. */
  public boolean matches(String category, String type) {
    return (categories.isEmpty() || categories.contains(category))
        && (types.isEmpty() || types.contains(type));
  }
}
