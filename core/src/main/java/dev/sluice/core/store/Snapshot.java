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

  /** Refuses an empty schema and versions below 1. */
  public Snapshot {
    if (schema.isEmpty() || schema.length() > 128) {
      throw new IllegalArgumentException("a snapshot's schema name has 1 to 128 chars");
    }
    if (version < 1) {
      throw new IllegalArgumentException("a snapshot's version is 1 or greater, not " + version);
    }
  }
}
