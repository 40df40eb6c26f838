package dev.sluice.core.store;

import dev.sluice.core.Payload;
import dev.sluice.core.event.StreamId;

/**
 * The state of an aggregate after some version, so that fewer events need to be read. Never a
 * source of truth.
 *
 * @param stream whose state it is
 * @param schema the name of the state's form; change it whenever the state's class or the way it is
 *     folded changes, and older snapshots are no longer found
 * @param version the version that the state includes, 1 or greater
 * @param state the serialised state
 */
public record Snapshot(StreamId stream, String schema, long version, Payload state) {

  /** The greatest length of a schema's name, in chars. */
  public static final int MAX_SCHEMA_LENGTH = 128;

  /** Refuses an empty schema and versions below 1. */
  public Snapshot {
    requireSchema(schema);
    if (version < 1) {
      throw new IllegalArgumentException("a snapshot's version is 1 or greater, not " + version);
    }
  }

  /** Refuses what can't be the name of a state's form. */
  public static void requireSchema(String schema) {
    if (schema.isEmpty() || schema.length() > MAX_SCHEMA_LENGTH) {
      throw new IllegalArgumentException(
          "a snapshot's schema name has 1 to "
              + MAX_SCHEMA_LENGTH
              + " chars, not "
              + schema.length());
    }
  }
}
