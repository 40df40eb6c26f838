package dev.sluice.adapter.mongo;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.Payload;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.store.Storage;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.UUID;
import org.bson.BsonBinary;
import org.bson.BsonDocument;
import org.bson.BsonReader;
import org.bson.BsonString;
import org.bson.BsonType;
import org.bson.BsonValue;
import org.bson.BsonWriter;
import org.bson.UuidRepresentation;

/** How values of the core stand in documents, so that what is stored comes back equal. */
final class Values {

  private static final char REPLACEMENT = '\uFFFD';

  private Values() {}

  /**
   * Refuses text that BSON would change, half a surrogate pair has no UTF-8 form, and NUL, at which
   * some tools for BSON cut.
   */
  static String text(String what, String text) {
    return Storage.checkedText(() -> what, text);
  }

  /**
   * Payloads that are text are stored as text, so that a person can read them in the shell. A
   * replacement character may stand for bytes that are no UTF-8, so those are stored as bytes.
   */
  static BsonValue payload(Payload payload) {
    byte[] bytes = payload.toBytes();
    String text = new String(bytes, StandardCharsets.UTF_8);
    return text.indexOf(REPLACEMENT) < 0 ? new BsonString(text) : new BsonBinary(bytes);
  }

  static Payload payload(BsonDocument document, String name) {
    BsonValue value = document.get(name);
    if (value == null) {
      throw new StoreRefusedException(
          "the document "
              + document.get(Fields.ID)
              + " has no "
              + name
              + ", so something else has written it; restore it, or delete it");
    }
    return value.isString()
        ? Payload.ofUtf8(value.asString().getValue())
        : Payload.of(value.asBinary().getData());
  }

  static void write(BsonWriter writer, String name, Payload payload) {
    switch (payload(payload)) {
      case BsonString text -> writer.writeString(name, text.getValue());
      case BsonValue binary -> writer.writeBinaryData(name, binary.asBinary());
    }
  }

  static Payload readPayload(BsonReader reader) {
    return reader.getCurrentBsonType() == BsonType.STRING
        ? Payload.ofUtf8(reader.readString())
        : Payload.of(reader.readBinaryData().getData());
  }

  static BsonBinary id(UUID id) {
    return new BsonBinary(id, UuidRepresentation.STANDARD);
  }

  static void write(BsonWriter writer, Instant time) {
    long millis;
    try {
      millis = time.toEpochMilli();
    } catch (ArithmeticException e) {
      throw new NotStorableException(time + " lies outside of what a BSON date can hold");
    }
    writer.writeDateTime(Fields.TIME, millis);
    int micros = (int) Instant.ofEpochMilli(millis).until(time, ChronoUnit.MICROS);
    if (micros != 0) {
      writer.writeInt32(Fields.MICROS, micros);
    }
  }
}
