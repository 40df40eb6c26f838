package dev.sluice.core.event;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import java.time.Instant;
import java.util.UUID;

/**
 * An event as it is stored.
 *
 * @param id the id that it was appended with
 * @param stream the stream that it belongs to
 * @param version its place in the stream; the first event has version 1
 * @param position its place in the order of all events
 * @param type the registered name of its class
 * @param time when it happened, in microseconds
 * @param data the serialised event
 * @param metadata the serialised metadata
 */
public record RecordedEvent(
    UUID id,
    StreamId stream,
    long version,
    Position position,
    String type,
    Instant time,
    Payload data,
    Payload metadata) {

  /** Refuses versions below 1. */
  public RecordedEvent {
    if (version < 1) {
      throw new IllegalArgumentException("the first event has version 1, not " + version);
    }
  }
}
