package dev.sluice.tck;

import dev.sluice.core.Payload;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.ExpectedVersion;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.IntStream;

/** Makes what the suites store, and puts what they read in a form that is easy to compare. */
final class Given {

  static final StreamId STREAM = StreamId.of("account", "42");
  static final StreamId OTHER = StreamId.of("account", "43");
  static final StreamId THIRD = StreamId.of("order", "42");
  static final Instant TIME = Instant.parse("2026-03-29T01:30:00.123456Z");

  private Given() {}

  static NewEvent event(String text) {
    return event("deposited", text);
  }

  static NewEvent event(String type, String text, IntegrationMessage... messages) {
    return new NewEvent(
        EventIds.next(),
        type,
        TIME,
        Payload.ofUtf8(text),
        Payload.ofUtf8("{\"by\":\"tck\"}"),
        List.of(messages));
  }

  static NewEvent[] events(String text, int count) {
    return IntStream.range(0, count).mapToObj(i -> event(text + "/" + i)).toArray(NewEvent[]::new);
  }

  static NewEvent withId(NewEvent event, UUID id) {
    return new NewEvent(
        id, event.type(), event.time(), event.data(), event.metadata(), event.messages());
  }

  /** An event that takes one message with it, both with the same text. */
  static NewEvent sending(String text) {
    return event("deposited", text, message("key", text));
  }

  static NewEvent[] sendings(String text, int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> sending(text + "/" + i))
        .toArray(NewEvent[]::new);
  }

  static IntegrationMessage message(String key, String text) {
    return new IntegrationMessage(
        EventIds.next(),
        PublisherFixture.TYPE,
        key,
        "account/42",
        TIME,
        Payload.ofUtf8(text),
        Optional.of("conversation"),
        Optional.of("command"));
  }

  static Append any(StreamId stream, NewEvent... events) {
    return new Append(stream, ExpectedVersion.any(), List.of(events));
  }

  static Append exactly(long version, StreamId stream, NewEvent... events) {
    return new Append(stream, ExpectedVersion.exactly(version), List.of(events));
  }

  /** What was or should be stored, in words. */
  record Stored(
      StreamId stream,
      long version,
      UUID id,
      String type,
      Instant time,
      String data,
      String metadata) {

    static Stored of(RecordedEvent event) {
      return new Stored(
          event.stream(),
          event.version(),
          event.id(),
          event.type(),
          event.time(),
          event.data().toUtf8(),
          event.metadata().toUtf8());
    }

    static Stored of(StreamId stream, long version, NewEvent event) {
      return new Stored(
          stream,
          version,
          event.id(),
          event.type(),
          event.time(),
          event.data().toUtf8(),
          event.metadata().toUtf8());
    }
  }

  static List<Stored> stored(List<RecordedEvent> events) {
    return events.stream().map(Stored::of).toList();
  }

  /** What a stream holds to which these events were appended, from a version on. */
  static List<Stored> stored(StreamId stream, long firstVersion, NewEvent... events) {
    return IntStream.range(0, events.length)
        .mapToObj(i -> Stored.of(stream, firstVersion + i, events[i]))
        .toList();
  }

  /** The texts of events, which say most in a failed test's message. */
  static List<String> texts(List<RecordedEvent> events) {
    return events.stream().map(event -> event.data().toUtf8()).toList();
  }

  static List<String> messageTexts(List<OutboxMessage> messages) {
    return messages.stream().map(message -> message.message().data().toUtf8()).toList();
  }

  static List<Long> versions(List<RecordedEvent> events) {
    return events.stream().map(RecordedEvent::version).toList();
  }

  static List<UUID> ids(List<RecordedEvent> events) {
    return events.stream().map(RecordedEvent::id).toList();
  }
}
