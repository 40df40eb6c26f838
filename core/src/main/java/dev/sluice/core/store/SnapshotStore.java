package dev.sluice.core.store;

import dev.sluice.core.event.StreamId;
import java.util.Optional;

/**
 * Keeps one snapshot for each stream and schema. Losing one never changes a result.
 *
 * <p><b>Threads.</b> Safe for use by any number of threads and processes. Every call blocks.
 */
public interface SnapshotStore {

  /**
   * The snapshot of a stream in this schema, if one is kept.
   *
   * @throws dev.sluice.core.StoreUnavailableException if the store can't be reached, which fails
   *     the command; after any other exception the events are read instead
   */
  Optional<Snapshot> load(StreamId stream, String schema);

  /** Keeps a snapshot, instead of an earlier one of the same stream and schema. */
  void save(Snapshot snapshot);

  /** Forgets all snapshots of a stream; nothing happens if there are none. */
  void delete(StreamId stream);
}
