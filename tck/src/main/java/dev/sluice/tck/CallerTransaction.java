package dev.sluice.tck;

import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.store.EventStore;

/** A transaction of the caller's, for stores that can join one. For one thread at a time. */
public interface CallerTransaction extends AutoCloseable {

  /** What is appended here belongs to the transaction. */
  EventStore eventStore();

  /** What is saved here belongs to the transaction. */
  CheckpointStore checkpoints();

  /** Writes into a table or collection of the caller's own, so that the store has to act. */
  void writeSomethingElse();

  /** Commits. */
  void commit();

  /** Rolls back. */
  void rollBack();

  /** Rolls back what is still open. */
  @Override
  void close();
}
