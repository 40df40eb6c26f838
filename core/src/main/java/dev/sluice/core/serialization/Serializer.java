package dev.sluice.core.serialization;

import dev.sluice.core.Payload;

/** Turns objects into bytes and back. Safe for use by any number of threads. */
public interface Serializer {

  /**
   * Serialises an object.
   *
   * @throws SerializationException if it can't be serialised
   */
  Payload write(Object value);

  /**
   * Reads what {@link #write} has made of an object of this class.
   *
   * @throws SerializationException if it can't be read as one
   */
  <T> T read(Payload payload, Class<T> type);
}
