package dev.sluice.adapter.jdbc;

import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.SnapshotStore;
import org.jdbi.v3.core.Handle;

/**
 * Ports that work in a transaction of the caller: what they write is committed or rolled back
 * together with the caller's own statements. Obtained from {@link JdbcStorage#join} or {@link
 * JdbcStorage#inTransaction}.
 *
 * <p>Appends go to the server one by one, without group commit. One that fails with a {@link
 * dev.sluice.core.SluiceException} has written nothing, and leaves the transaction usable. Until
 * the transaction ends, readers of the log see nothing that others append after its first append,
 * and others who append to the same streams wait: keep it short. The first event of its type in a
 * category needs a second connection for a moment.
 *
 * <p>The isolation level must be READ COMMITTED; appends at others are refused. For one thread at a
 * time, like the connection.
 */
public interface JdbcTransaction {

  /** The JDBI handle of the transaction, for the caller's own statements. */
  Handle handle();

  /** Appends to, and reads, streams. */
  EventStore eventStore();

  /** Loads and saves checkpoints, such as that of a projection beside its view. */
  CheckpointStore checkpoints();

  /** Loads and saves snapshots. */
  SnapshotStore snapshots();
}
