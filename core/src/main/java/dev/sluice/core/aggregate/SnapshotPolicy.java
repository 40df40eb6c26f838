package dev.sluice.core.aggregate;

import dev.sluice.core.store.Snapshot;

/**
 * That snapshots are taken, and how often.
 *
 * @param schema the name of the state's form; change it whenever the state's class or {@code
 *     evolve} changes, and older snapshots are no longer used
 * @param stateClass the state's class, which the serializer must be able to write and read
 * @param every after how many events of one aggregate a snapshot is taken, 1 or more
 * @param <S> the state
 */
public record SnapshotPolicy<S>(String schema, Class<S> stateClass, int every) {

  /** Refuses what makes no sense. */
  public SnapshotPolicy {
    Snapshot.requireSchema(schema);
    if (every < 1) {
      throw new IllegalArgumentException("a snapshot every 1 or more events, not " + every);
    }
  }
}
