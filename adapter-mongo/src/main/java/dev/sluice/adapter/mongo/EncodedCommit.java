package dev.sluice.adapter.mongo;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.store.Append;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.bson.BsonBinaryWriter;
import org.bson.RawBsonDocument;
import org.bson.io.BasicOutputBuffer;

/**
 * A commit in the form in which it is sent, made by the thread that appends: what is too large is
 * refused before a number is drawn, and a writer that draws again has two numbers to exchange.
 */
final class EncodedCommit {

  // The length of the document, and before each value its type and its name.
  private static final int NUMBER_AT = 4 + 1 + "_id".length() + 1;
  private static final int VERSION_AT = NUMBER_AT + 8 + 1 + Fields.VERSION.length() + 1;
  private static final int OUTBOX_AT = VERSION_AT + 8 + 1 + Fields.OUTBOX.length() + 1;

  private final byte[] bytes;
  private final boolean hasMessages;
  private final int count;

  private EncodedCommit(byte[] bytes, boolean hasMessages, int count) {
    this.bytes = bytes;
    this.hasMessages = hasMessages;
    this.count = count;
  }

  /** Refuses what one document can't hold. */
  static EncodedCommit of(Append append, int maxBytes) {
    boolean hasMessages = append.events().stream().anyMatch(event -> !event.messages().isEmpty());
    BasicOutputBuffer buffer = new BasicOutputBuffer(1024);
    try (BsonBinaryWriter writer = new BsonBinaryWriter(buffer)) {
      writer.writeStartDocument();
      writer.writeInt64(Fields.ID, 0);
      writer.writeInt64(Fields.VERSION, 0);
      if (hasMessages) {
        writer.writeInt64(Fields.OUTBOX, 0);
      }
      writer.writeString(Fields.CATEGORY, append.stream().category());
      writer.writeString(Fields.STREAM, append.stream().id());
      writer.writeInt32(Fields.COUNT, append.events().size());
      writeEvents(writer, append.events());
      if (hasMessages) {
        writeMessages(writer, append.events());
      }
      writer.writeEndDocument();
    }
    byte[] bytes = buffer.toByteArray();
    if (bytes.length > maxBytes) {
      throw new NotStorableException(
          "the append of "
              + append.events().size()
              + " events to "
              + append.stream()
              + " takes "
              + bytes.length
              + " bytes with its integration messages; one MongoDB document, and so one append,"
              + " holds at most "
              + maxBytes
              + "; split the append, or keep large content elsewhere and store a reference");
    }
    return new EncodedCommit(bytes, hasMessages, append.events().size());
  }

  private static void writeEvents(BsonBinaryWriter writer, List<NewEvent> events) {
    writer.writeStartArray(Fields.EVENTS);
    for (NewEvent event : events) {
      writer.writeStartDocument();
      writer.writeBinaryData(Fields.EVENT_ID, Values.id(event.id()));
      writer.writeString(Fields.TYPE, Values.text("an event type", event.type()));
      Values.write(writer, event.time());
      Values.write(writer, Fields.DATA, event.data());
      if (!event.metadata().isEmpty()) {
        Values.write(writer, Fields.METADATA, event.metadata());
      }
      writer.writeEndDocument();
    }
    writer.writeEndArray();
  }

  private static void writeMessages(BsonBinaryWriter writer, List<NewEvent> events) {
    writer.writeStartArray(Fields.MESSAGES);
    int index = 0;
    for (NewEvent event : events) {
      for (IntegrationMessage message : event.messages()) {
        writer.writeStartDocument();
        writer.writeInt32(Fields.INDEX, index++);
        writer.writeBinaryData(Fields.EVENT_ID, Values.id(message.id()));
        writer.writeString(Fields.TYPE, Values.text("a message type", message.type()));
        writer.writeString(Fields.KEY, Values.text("a message key", message.key()));
        writer.writeString(Fields.SUBJECT, Values.text("a message subject", message.subject()));
        Values.write(writer, message.time());
        Values.write(writer, Fields.DATA, message.data());
        message
            .correlationId()
            .ifPresent(
                id ->
                    writer.writeString(Fields.CORRELATION_ID, Values.text("a correlation id", id)));
        message
            .causationId()
            .ifPresent(
                id -> writer.writeString(Fields.CAUSATION_ID, Values.text("a causation id", id)));
        writer.writeEndDocument();
      }
    }
    writer.writeEndArray();
  }

  int size() {
    return bytes.length;
  }

  int count() {
    return count;
  }

  /** The document with these numbers; it is good until the next call. */
  RawBsonDocument at(long number, long version) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    buffer.putLong(NUMBER_AT, number);
    buffer.putLong(VERSION_AT, version);
    if (hasMessages) {
      buffer.putLong(OUTBOX_AT, number);
    }
    return new RawBsonDocument(bytes);
  }
}
