package dev.sluice.tck;

import org.junit.jupiter.api.Nested;

/**
 * All suites for a storage adapter in one class: extend it, return a fixture, and run it. To run a
 * suite alone, extend that one instead.
 */
public abstract class StorageContract {

  /** A new fixture with empty data. Called once for each test, which closes it. */
  protected abstract StorageFixture createFixture();

  @Nested
  class EventStoreSuite extends EventStoreContract {
    @Override
    protected StorageFixture createFixture() {
      return StorageContract.this.createFixture();
    }
  }

  @Nested
  class GlobalLogSuite extends GlobalLogContract {
    @Override
    protected StorageFixture createFixture() {
      return StorageContract.this.createFixture();
    }
  }

  @Nested
  class OutboxSuite extends OutboxContract {
    @Override
    protected StorageFixture createFixture() {
      return StorageContract.this.createFixture();
    }
  }

  @Nested
  class CheckpointSuite extends CheckpointContract {
    @Override
    protected StorageFixture createFixture() {
      return StorageContract.this.createFixture();
    }
  }

  @Nested
  class SnapshotSuite extends SnapshotContract {
    @Override
    protected StorageFixture createFixture() {
      return StorageContract.this.createFixture();
    }
  }

  @Nested
  class LeaseSuite extends LeaseContract {
    @Override
    protected StorageFixture createFixture() {
      return StorageContract.this.createFixture();
    }
  }

  @Nested
  class SubscriptionSuite extends SubscriptionContract {
    @Override
    protected StorageFixture createFixture() {
      return StorageContract.this.createFixture();
    }
  }
}
