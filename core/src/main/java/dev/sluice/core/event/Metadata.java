package dev.sluice.core.event;

import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What is said about an event beside its payload: text by name. An absent value differs from an
 * empty one. Immutable.
 *
 * @param values the values by name
 */
public record Metadata(Map<String, String> values) {

  /** Nothing said. */
  public static final Metadata EMPTY = new Metadata(Map.of());

  private static final String CORRELATION_ID = "correlationId";
  private static final String CAUSATION_ID = "causationId";

  /** Copies the values. */
  public Metadata {
    values = Collections.unmodifiableSortedMap(new TreeMap<>(values));
  }

  /** What the whole conversation is known by, over all its commands and events. */
  public Optional<String> correlationId() {
    return get(CORRELATION_ID);
  }

  /** The id of the event or command that directly led to this event. */
  public Optional<String> causationId() {
    return get(CAUSATION_ID);
  }

  /** A copy with this correlation id. */
  public Metadata withCorrelationId(String correlationId) {
    return with(CORRELATION_ID, correlationId);
  }

  /** A copy with this causation id. */
  public Metadata withCausationId(String causationId) {
    return with(CAUSATION_ID, causationId);
  }

  /** One value. */
  public Optional<String> get(String name) {
    return Optional.ofNullable(values.get(name));
  }

  /** A copy with one value more, or replaced. */
  public Metadata with(String name, String value) {
    Map<String, String> copy = new TreeMap<>(values);
    copy.put(name, value);
    return new Metadata(copy);
  }
}
