package dev.sluice.core.store;

import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.Outbox;

/** See {@link Storage#withEventStore}. */
record OtherEventStore(Storage storage, EventStore eventStore) implements Storage {

  @Override
  public String describe() {
    return storage.describe();
  }

  @Override
  public GlobalLog globalLog() {
    return storage.globalLog();
  }

  @Override
  public Outbox outbox() {
    return storage.outbox();
  }

  @Override
  public CheckpointStore checkpoints() {
    return storage.checkpoints();
  }

  @Override
  public SnapshotStore snapshots() {
    return storage.snapshots();
  }

  @Override
  public LeaseStore leases() {
    return storage.leases();
  }

  @Override
  public void close() {
    storage.close();
  }
}
