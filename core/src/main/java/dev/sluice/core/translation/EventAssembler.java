package dev.sluice.core.translation;

import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import java.time.Instant;
import java.util.UUID;

/**
 * Makes a domain event ready to be appended: serialised, and with the integration messages that the
 * translator made from it. Immutable, and safe for use by any number of threads.
 */
public final class EventAssembler {

  private final EventCodec codec;
  private final Translation translation;

  /** With a codec for the event, and a translation for what leaves. */
  public EventAssembler(EventCodec codec, Translation translation) {
    this.codec = codec;
    this.translation = translation;
  }

  /**
   * Assembles one event.
   *
   * @param id the event's id; the same id must stand for the same event
   * @throws dev.sluice.core.UnregisteredTypeException if a class has no registered name
   * @throws dev.sluice.core.serialization.SerializationException if something can't be serialised
   * @throws RuntimeException whatever the translator throws
   */
  public NewEvent assemble(
      StreamId stream, UUID id, Instant time, Metadata metadata, DomainEvent event) {
    return new NewEvent(
        id,
        codec.typeOf(event),
        time,
        codec.encode(event),
        codec.encode(metadata),
        translation.translate(event, new Source(stream, id, time, metadata)));
  }
}
