package dev.sluice.publisher.kafka;

import java.net.URI;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which integration event types leave the bounded context, and through which topic. A type that is
 * not listed here is not published, so nothing leaves by accident; its lane waits for a process
 * that lists it.
 *
 * <p>Immutable; safe for use by any number of threads.
 */
public final class PublishedLanguage {
  private static final Pattern TOPIC_NAME = Pattern.compile("[a-zA-Z0-9._-]{1,249}");

  private final Map<String, Integer> partitionsByTopic;
  private final Map<String, Route> routesByType;

  private PublishedLanguage(Builder builder) {
    this.partitionsByTopic = Map.copyOf(builder.partitionsByTopic);
    this.routesByType = Map.copyOf(builder.routesByType);
  }

  public static Builder builder() {
    return new Builder();
  }

  /** Each topic with the number of partitions that keys are spread over. */
  public Map<String, Integer> topics() {
    return partitionsByTopic;
  }

  /** All types that are published. */
  public Set<String> types() {
    return routesByType.keySet();
  }

  /** The topic of a type, if the type is published. */
  public Optional<String> topicOf(String type) {
    return Optional.ofNullable(route(type)).map(Route::topic);
  }

  /** Where the schema of a type is, if that was said. */
  public Optional<URI> dataSchemaOf(String type) {
    return Optional.ofNullable(route(type)).map(Route::dataSchema);
  }

  @Nullable Route route(String type) {
    return routesByType.get(type);
  }

  /** Where one type goes. */
  record Route(String topic, int partitions, @Nullable URI dataSchema) {}

  /** Collects topics and types. Not safe for use by several threads. */
  public static final class Builder {
    private final Map<String, Integer> partitionsByTopic = new LinkedHashMap<>();
    private final Map<String, Route> routesByType = new HashMap<>();

    private Builder() {}

    /**
     * Adds a topic and the types that it carries.
     *
     * @param partitions how many partitions the keys are spread over, at least 1. A key's partition
     *     depends on this number alone: partitions that somebody adds to the topic later stay empty
     *     until the number here is raised, so a key never changes its partition unnoticed. The
     *     topic may have more partitions, never fewer
     * @throws IllegalArgumentException if the topic or one of the types was added before
     */
    public Builder topic(String topic, int partitions, String... types) {
      if (!TOPIC_NAME.matcher(topic).matches() || topic.equals(".") || topic.equals("..")) {
        throw new IllegalArgumentException(
            "'" + topic + "' is not a Kafka topic name: use 1 to 249 of a-z A-Z 0-9 . _ -");
      }
      if (partitions < 1) {
        throw new IllegalArgumentException(
            "topic " + topic + ": partitions must be at least 1, not " + partitions);
      }
      if (types.length == 0) {
        throw new IllegalArgumentException(
            "topic " + topic + " carries no type: name at least one");
      }
      if (partitionsByTopic.putIfAbsent(topic, partitions) != null) {
        throw new IllegalArgumentException(
            "topic " + topic + " was added twice: list all its types in one call");
      }
      for (String type : types) {
        Objects.requireNonNull(type, "type");
        Route former = routesByType.putIfAbsent(type, new Route(topic, partitions, null));
        if (former != null) {
          throw new IllegalArgumentException(
              "integration event type "
                  + type
                  + " goes to "
                  + former.topic()
                  + " already: one type has one topic, or its order is lost");
        }
      }
      return this;
    }

    /**
     * Names the schema of a type; published as the CloudEvents attribute {@code dataschema}.
     *
     * @throws IllegalArgumentException if the type was not added by {@link #topic} before
     */
    public Builder dataSchema(String type, URI schema) {
      Route route = routesByType.get(type);
      if (route == null) {
        throw new IllegalArgumentException(
            "integration event type " + type + " has no topic yet: call topic(…) first");
      }
      routesByType.put(type, new Route(route.topic(), route.partitions(), schema));
      return this;
    }

    /**
     * Says that the schemas of all types added so far lie in one place, each as {@code
     * type.schema.json}.
     *
     * @param directory such as {@code https://schemas.example.com/bank/}
     */
    public Builder dataSchemas(URI directory) {
      String base = directory.toString();
      for (String type : List.copyOf(routesByType.keySet())) {
        dataSchema(
            type, URI.create(base + (base.endsWith("/") ? "" : "/") + type + ".schema.json"));
      }
      return this;
    }

    /** Returns the language as collected so far. */
    public PublishedLanguage build() {
      if (routesByType.isEmpty()) {
        throw new IllegalStateException("nothing is published: add a topic with at least one type");
      }
      return new PublishedLanguage(this);
    }
  }
}
