package dev.sluice.adapter.mongo;

import dev.sluice.core.Payload;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.OutboxMessage;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.bson.BsonReader;
import org.bson.BsonType;
import org.bson.BsonWriter;
import org.bson.UuidRepresentation;
import org.bson.codecs.Codec;
import org.bson.codecs.DecoderContext;
import org.bson.codecs.EncoderContext;
import org.jspecify.annotations.Nullable;

/** Reads commits straight from the reply. Fields that it does not know are skipped. */
final class CommitCodec implements Codec<Commit> {

  @Override
  public Commit decode(BsonReader reader, DecoderContext context) {
    long number = 0;
    long version = 0;
    int count = 0;
    String category = "";
    String stream = "";
    List<RawEvent> events = List.of();
    List<RawEvent> messages = List.of();
    reader.readStartDocument();
    while (reader.readBsonType() != BsonType.END_OF_DOCUMENT) {
      switch (reader.readName()) {
        case Fields.ID -> number = reader.readInt64();
        case Fields.VERSION -> version = reader.readInt64();
        case Fields.CATEGORY -> category = reader.readString();
        case Fields.STREAM -> stream = reader.readString();
        case Fields.COUNT -> count = reader.readInt32();
        case Fields.EVENTS -> events = readArray(reader);
        case Fields.MESSAGES -> messages = readArray(reader);
        default -> reader.skipValue();
      }
    }
    reader.readEndDocument();
    StreamId streamId = stream.isEmpty() ? null : new StreamId(category, stream);
    return new Commit(
        number,
        version,
        streamId,
        count,
        streamId == null ? List.of() : events(number, version, streamId, events),
        messages(number, messages));
  }

  private static List<RecordedEvent> events(
      long number, long version, StreamId stream, List<RawEvent> raw) {
    List<RecordedEvent> events = new ArrayList<>(raw.size());
    for (int i = 0; i < raw.size(); i++) {
      RawEvent event = raw.get(i);
      events.add(
          new RecordedEvent(
              event.requireId(),
              stream,
              version + i,
              Positions.of(number, i),
              event.type,
              event.time(),
              event.data,
              event.metadata));
    }
    return events;
  }

  private static List<OutboxMessage> messages(long number, List<RawEvent> raw) {
    List<OutboxMessage> messages = new ArrayList<>(raw.size());
    for (RawEvent message : raw) {
      messages.add(
          new OutboxMessage(
              Positions.of(number, message.index),
              new IntegrationMessage(
                  message.requireId(),
                  message.type,
                  message.key,
                  message.subject,
                  message.time(),
                  message.data,
                  Optional.ofNullable(message.correlationId),
                  Optional.ofNullable(message.causationId))));
    }
    return messages;
  }

  private static List<RawEvent> readArray(BsonReader reader) {
    List<RawEvent> all = new ArrayList<>();
    reader.readStartArray();
    while (reader.readBsonType() != BsonType.END_OF_DOCUMENT) {
      all.add(new RawEvent(reader));
    }
    reader.readEndArray();
    return all;
  }

  /** An event or a message: what they share has the same names. */
  private static final class RawEvent {
    private @Nullable UUID id;
    private int index;
    private String type = "";
    private String key = "";
    private String subject = "";
    private long millis;
    private int micros;
    private Payload data = Payload.EMPTY;
    private Payload metadata = Payload.EMPTY;
    private @Nullable String correlationId;
    private @Nullable String causationId;

    RawEvent(BsonReader reader) {
      reader.readStartDocument();
      while (reader.readBsonType() != BsonType.END_OF_DOCUMENT) {
        switch (reader.readName()) {
          case Fields.EVENT_ID -> {
            // A filler's is a number.
            if (reader.getCurrentBsonType() == BsonType.BINARY) {
              id = reader.readBinaryData().asUuid(UuidRepresentation.STANDARD);
            } else {
              reader.skipValue();
            }
          }
          case Fields.INDEX -> index = reader.readInt32();
          case Fields.TYPE -> type = reader.readString();
          case Fields.KEY -> key = reader.readString();
          case Fields.SUBJECT -> subject = reader.readString();
          case Fields.TIME -> millis = reader.readDateTime();
          case Fields.MICROS -> micros = reader.readInt32();
          case Fields.DATA -> data = Values.readPayload(reader);
          case Fields.METADATA -> metadata = Values.readPayload(reader);
          case Fields.CORRELATION_ID -> correlationId = reader.readString();
          case Fields.CAUSATION_ID -> causationId = reader.readString();
          default -> reader.skipValue();
        }
      }
      reader.readEndDocument();
    }

    UUID requireId() {
      if (id == null) {
        // Not an IllegalStateException: that is the driver's for a client that is closed.
        throw new StoreRefusedException(
            "an event or message of type '"
                + type
                + "' has no id, so something else has written to "
                + Schema.COMMITS
                + "; restore it from a backup");
      }
      return id;
    }

    Instant time() {
      Instant time = Instant.ofEpochMilli(millis);
      return micros == 0 ? time : time.plus(micros, ChronoUnit.MICROS);
    }
  }

  @Override
  public void encode(BsonWriter writer, Commit value, EncoderContext context) {
    throw new UnsupportedOperationException("commits are written as EncodedCommit");
  }

  @Override
  public Class<Commit> getEncoderClass() {
    return Commit.class;
  }
}
