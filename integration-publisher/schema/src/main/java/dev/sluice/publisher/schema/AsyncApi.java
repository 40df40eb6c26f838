package dev.sluice.publisher.schema;

import static dev.sluice.publisher.schema.PublishedContract.object;

import dev.sluice.publisher.kafka.PublishedLanguage;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The AsyncAPI 3.0 document: topics, and the messages in each. */
final class AsyncApi {
  private static final String BINDING_VERSION = "0.5.0";

  private AsyncApi() {}

  static ObjectNode document(String title, String version, PublishedLanguage language) {
    ObjectNode document = object().put("asyncapi", "3.0.0");
    document.putObject("info").put("title", title).put("version", version);
    document.put("defaultContentType", "application/json");
    ObjectNode channels = document.putObject("channels");
    ObjectNode operations = document.putObject("operations");
    ObjectNode components = document.putObject("components");
    ObjectNode messages = components.putObject("messages");
    for (Map.Entry<String, Integer> topic : new TreeMap<>(language.topics()).entrySet()) {
      ObjectNode channel = channels.putObject(topic.getKey()).put("address", topic.getKey());
      kafka(channel).put("partitions", topic.getValue());
      ObjectNode inTopic = channel.putObject("messages");
      for (String type : new TreeSet<>(language.types())) {
        if (language.topicOf(type).orElseThrow().equals(topic.getKey())) {
          inTopic.putObject(type).put("$ref", "#/components/messages/" + type);
          message(messages.putObject(type), type);
        }
      }
      operations
          .putObject("publish." + topic.getKey())
          .put("action", "send")
          .putObject("channel")
          .put("$ref", "#/channels/" + topic.getKey());
    }
    components.putObject("schemas").set("CloudEvent", headers());
    return document;
  }

  private static void message(ObjectNode message, String type) {
    message.put("name", type).put("contentType", "application/json");
    message.putObject("headers").put("$ref", "#/components/schemas/CloudEvent");
    message.putObject("payload").put("$ref", "./" + type + PublishedContract.SUFFIX);
    kafka(message).putObject("key").put("type", "string");
  }

  private static ObjectNode kafka(ObjectNode parent) {
    return parent.putObject("bindings").putObject("kafka").put("bindingVersion", BINDING_VERSION);
  }

  private static ObjectNode headers() {
    ObjectNode headers = object().put("type", "object");
    ObjectNode properties = headers.putObject("properties");
    properties.putObject("ce_specversion").put("const", "1.0");
    properties.putObject("ce_id").put("type", "string").put("format", "uuid");
    properties.putObject("ce_source").put("type", "string").put("format", "uri-reference");
    properties.putObject("ce_type").put("type", "string");
    properties.putObject("ce_subject").put("type", "string");
    properties.putObject("ce_time").put("type", "string").put("format", "date-time");
    properties.putObject("ce_dataschema").put("type", "string").put("format", "uri");
    properties.putObject("ce_correlationid").put("type", "string");
    properties.putObject("ce_causationid").put("type", "string");
    ArrayNode required = headers.putArray("required");
    for (String name :
        new String[] {"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time"}) {
      required.add(name);
    }
    return headers;
  }
}
