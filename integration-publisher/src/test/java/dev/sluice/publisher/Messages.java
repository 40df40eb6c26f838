package dev.sluice.publisher;

import dev.sluice.core.Payload;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Storage;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;

/** Appends domain events that carry integration messages. */
public final class Messages {
  private Messages() {}

  /** Appends an event with one message, and returns the message's id. */
  public static UUID append(Storage storage, String type, String key, String data) {
    return append(storage, EventIds.next(), type, key, data);
  }

  /** With the event's id given, so that the same one can be appended to another store. */
  public static UUID append(Storage storage, UUID event, String type, String key, String data) {
    NewEvent made = event(event, type, key, data);
    storage
        .eventStore()
        .append(new Append(new StreamId("account", key), ExpectedVersion.any(), List.of(made)));
    return made.messages().get(0).id();
  }

  /** Appends several events of one stream at once, and returns the ids of their messages. */
  static List<UUID> appendAll(Storage storage, String type, String key, String... data) {
    List<NewEvent> events =
        Stream.of(data).map(each -> event(EventIds.next(), type, key, each)).toList();
    storage
        .eventStore()
        .append(new Append(new StreamId("account", key), ExpectedVersion.any(), events));
    return events.stream().map(made -> made.messages().get(0).id()).toList();
  }

  /** Something that happened at a moment. */
  static void append(Storage storage, String type, String key, String data, Instant time) {
    NewEvent made = event(EventIds.next(), type, key, data, time);
    storage
        .eventStore()
        .append(new Append(new StreamId("account", key), ExpectedVersion.any(), List.of(made)));
  }

  /** An event with one message. */
  public static NewEvent event(UUID event, String type, String key, String data) {
    return event(event, type, key, data, Instant.now());
  }

  private static NewEvent event(UUID event, String type, String key, String data, Instant time) {
    IntegrationMessage message =
        new IntegrationMessage(
            EventIds.derived(event, type),
            type,
            key,
            key,
            time,
            Payload.ofUtf8(data),
            Optional.of("correlation-" + key),
            Optional.empty());
    return new NewEvent(
        event,
        "private-" + type,
        time,
        Payload.ofUtf8("{\"secret\":true}"),
        Payload.ofUtf8("{}"),
        List.of(message));
  }
}
