package dev.sluice.core.store;

import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.Outbox;

/**
 * One store of one service, with all its ports. Each storage adapter is one of these. Safe for use
 * by any number of threads.
 */
public interface Storage extends AutoCloseable {

  /** What this is, for people: the product, its version, and where it is. No secrets. */
  String describe();

  /** Appends events and reads streams. */
  EventStore eventStore();

  /** Reads all events in one order. */
  GlobalLog globalLog();

  /** Reads the integration messages that wait to be published. */
  Outbox outbox();

  /** Keeps how far readers have come. */
  CheckpointStore checkpoints();

  /** Keeps snapshots of aggregates. */
  SnapshotStore snapshots();

  /** Keeps who may do what. */
  LeaseStore leases();

  /**
   * This storage with another event store, such as one that wraps its own. Closing it closes this
   * one.
   */
  default Storage withEventStore(EventStore eventStore) {
    return new OtherEventStore(this, eventStore);
  }

  /**
   * Releases what this object has opened, and nothing that it was given. Calls that are under way
   * fail or finish; calls that come later fail. Closing twice does nothing.
   */
  @Override
  void close();
}
