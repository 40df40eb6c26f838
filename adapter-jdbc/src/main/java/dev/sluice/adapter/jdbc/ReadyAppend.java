package dev.sluice.adapter.jdbc;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Storage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An append that was checked for what PostgreSQL can't hold, with the numbers of its kinds.
 *
 * @param expected the version, or {@link #ANY}, or {@link #EXISTS}
 * @param kinds the kind of each event
 * @param messageCount of all events together
 * @param bytes of all payloads together
 */
record ReadyAppend(
    Append append,
    String stream,
    long expected,
    List<Integer> kinds,
    int messageCount,
    long bytes) {

  /** The greatest size of one event, or of one message: data and metadata together. */
  static final int MAX_EVENT_BYTES = 64 << 20;

  /** The greatest size of one append. The server takes less than 1 GB in one statement. */
  static final int MAX_APPEND_BYTES = 256 << 20;

  private static final long ANY = -1;
  private static final long EXISTS = -2;

  static ReadyAppend of(Append append, EventKinds eventKinds) {
    List<NewEvent> events = append.events();
    int messages = 0;
    long bytes = 0;
    for (NewEvent event : events) {
      String what = "event " + event.id() + " of " + append.stream();
      checkText(what, "type", event.type());
      checkTime(what, event.time());
      bytes += checkSize(what, (long) event.data().size() + event.metadata().size());
      for (IntegrationMessage message : event.messages()) {
        bytes += check(message);
        messages++;
      }
    }
    if (bytes > MAX_APPEND_BYTES) {
      throw new NotStorableException(
          "an append of "
              + bytes
              + " bytes to "
              + append.stream()
              + " is over the limit of "
              + MAX_APPEND_BYTES
              + " bytes; split it");
    }
    // Only now, when nothing can be wrong any more: a new kind is stored at once.
    List<Integer> kinds = new ArrayList<>(events.size());
    for (NewEvent event : events) {
      kinds.add(eventKinds.idOf(append.stream().category(), event.type()));
    }
    return new ReadyAppend(
        append, append.stream().toString(), code(append.expected()), kinds, messages, bytes);
  }

  int eventCount() {
    return kinds.size();
  }

  private static long code(ExpectedVersion expected) {
    return switch (expected) {
      case ExpectedVersion.Exactly exactly -> exactly.version();
      case ExpectedVersion.NoStream none -> 0;
      case ExpectedVersion.StreamExists exists -> EXISTS;
      case ExpectedVersion.Any any -> ANY;
    };
  }

  private static long check(IntegrationMessage message) {
    String what = "integration message " + message.id();
    checkText(what, "type", message.type());
    checkText(what, "key", message.key());
    checkText(what, "subject", message.subject());
    checkText(what, "correlation id", message.correlationId());
    checkText(what, "causation id", message.causationId());
    checkTime(what, message.time());
    return checkSize(what, message.data().size());
  }

  private static void checkText(String what, String name, Optional<String> text) {
    if (text.isPresent()) {
      checkText(what, name, text.get());
    }
  }

  private static void checkText(String what, String name, String text) {
    Storage.checkedText(() -> "the " + name + " of " + what, text);
  }

  private static void checkTime(String what, Instant time) {
    try {
      EventRows.micros(time);
    } catch (ArithmeticException e) {
      throw new NotStorableException(
          "the time of "
              + what
              + " is "
              + time
              + "; times are stored in microseconds since 1970,"
              + " up to some 292,000 years from then");
    }
  }

  private static long checkSize(String what, long bytes) {
    if (bytes > MAX_EVENT_BYTES) {
      throw new NotStorableException(
          what
              + " has "
              + bytes
              + " bytes; the limit is "
              + MAX_EVENT_BYTES
              + " bytes. Store such data elsewhere, and its address here");
    }
    return bytes;
  }
}
