package dev.sluice.publisher.schema;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** What a consumer that was written for one contract would no longer find in another. */
final class Compatibility {
  private final List<String> breaks = new ArrayList<>();

  private Compatibility() {}

  static List<String> breaks(Map<String, JsonNode> before, Map<String, JsonNode> now) {
    Compatibility found = new Compatibility();
    before.forEach(
        (name, schema) -> {
          if (!name.equals(PublishedContract.ASYNC_API)) {
            String type = name.substring(0, name.length() - PublishedContract.SUFFIX.length());
            JsonNode schemaNow = now.get(name);
            if (schemaNow == null) {
              found.breaks.add(type + " is no longer published; was it renamed?");
            } else {
              found.value(type, schema, schemaNow);
            }
          }
        });
    found.topics(before.get(PublishedContract.ASYNC_API), now.get(PublishedContract.ASYNC_API));
    return found.breaks;
  }

  private void topics(@Nullable JsonNode before, @Nullable JsonNode now) {
    if (before == null || now == null) {
      return;
    }
    Map<String, String> topicsNow = topics(now);
    topics(before)
        .forEach(
            (type, topic) -> {
              String topicNow = topicsNow.get(type);
              if (topicNow != null && !topicNow.equals(topic)) {
                breaks.add(type + " goes to topic " + topicNow + ", no longer to " + topic);
              }
            });
    before
        .path("channels")
        .forEachEntry(
            (topic, channel) -> {
              JsonNode partitions = channel.at("/bindings/kafka/partitions");
              JsonNode partitionsNow =
                  now.path("channels").path(topic).at("/bindings/kafka/partitions");
              if (partitionsNow.isNumber() && !partitionsNow.equals(partitions)) {
                breaks.add(
                    "topic "
                        + topic
                        + " has "
                        + partitionsNow
                        + " partitions instead of "
                        + partitions
                        + ": keys move, and their order is lost across the change");
              }
            });
  }

  private static Map<String, String> topics(JsonNode document) {
    Map<String, String> topics = new TreeMap<>();
    document
        .path("channels")
        .forEachEntry(
            (topic, channel) ->
                channel.path("messages").propertyNames().forEach(type -> topics.put(type, topic)));
    return topics;
  }

  private void value(String where, JsonNode before, JsonNode now) {
    Set<String> types = types(before);
    Set<String> typesNow = types(now);
    if (!types.isEmpty() && (typesNow.isEmpty() || !covers(types, typesNow))) {
      breaks.add(
          where
              + " was "
              + names(types)
              + " and is "
              + (typesNow.isEmpty() ? "anything" : names(typesNow)));
      return;
    }
    if (before.has("format") && !before.get("format").equals(now.get("format"))) {
      breaks.add(
          where + " had the format " + before.get("format") + " and has " + now.path("format"));
    }
    if (before.has("enum")) {
      Set<JsonNode> added = elements(now.path("enum"));
      added.removeAll(elements(before.path("enum")));
      if (!now.has("enum")) {
        breaks.add(where + " was one of " + before.get("enum") + " and is any text");
      } else if (!added.isEmpty()) {
        breaks.add(where + " has further values, which consumers don't know: " + added);
      }
    }
    properties(where, before, now);
    if (before.has("propertyNames")) {
      value(where + "{key}", before.get("propertyNames"), now.path("propertyNames"));
    }
    if (before.has("items")) {
      value(where + "[]", before.get("items"), now.path("items"));
    }
    if (before.has("additionalProperties")) {
      value(where + "{}", before.get("additionalProperties"), now.path("additionalProperties"));
    }
  }

  private void properties(String where, JsonNode before, JsonNode now) {
    Set<JsonNode> always = elements(before.path("required"));
    Set<JsonNode> alwaysNow = elements(now.path("required"));
    before
        .path("properties")
        .forEachEntry(
            (name, property) -> {
              String path = where + "." + name;
              JsonNode propertyNow = now.path("properties").get(name);
              if (propertyNow == null) {
                breaks.add(path + " is gone; was it renamed?");
                return;
              }
              int known = breaks.size();
              value(path, property, propertyNow);
              boolean maybeMissing =
                  always.stream().anyMatch(each -> each.asString().equals(name))
                      && alwaysNow.stream().noneMatch(each -> each.asString().equals(name));
              if (maybeMissing && breaks.size() == known) {
                breaks.add(path + " was always there and may be missing now");
              }
            });
  }

  private static boolean covers(Set<String> types, Set<String> typesNow) {
    return typesNow.stream()
        .allMatch(
            type -> types.contains(type) || (type.equals("integer") && types.contains("number")));
  }

  private static Set<String> types(JsonNode schema) {
    JsonNode type = schema.path("type");
    if (type.isString()) {
      return Set.of(type.asString());
    }
    return elements(type).stream().map(JsonNode::asString).collect(Collectors.toSet());
  }

  private static Set<JsonNode> elements(JsonNode array) {
    Set<JsonNode> elements = new LinkedHashSet<>();
    array.forEach(elements::add);
    return elements;
  }

  private static String names(Set<String> types) {
    return types.stream().sorted().collect(Collectors.joining(" or "));
  }
}
