package dev.sluice.tck;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/**
 * All suites for a storage adapter in one class: extend it, return a fixture, and run it. To run a
 * suite alone, extend that one instead.
 */
public abstract class StorageContract {

  /** A new fixture with empty data. Called once for each test, which closes it. */
  protected abstract StorageFixture createFixture();

  /** The README that may show this adapter's table; default that of the working directory. */
  protected Path readme() {
    return Path.of("README.md");
  }

  /**
   * What is kept in the README, between {@code <!-- conformance -->} and {@code <!-- end -->}, is
   * the adapter's name and the table of the tests, all of which pass where the build does. There
   * need not be one.
   */
  @Test
  void a_conformance_table_in_the_README_is_current() throws IOException {
    SortedMap<String, List<String>> guarantees = new TreeMap<>();
    for (Class<?> suite : StorageContract.class.getDeclaredClasses()) {
      guarantees.putAll(ConformanceTable.passed(suite.getSuperclass()));
    }
    try (StorageFixture fixture = createFixture()) {
      ConformanceTable.assertCurrent(
          readme(),
          fixture.adapter(),
          ConformanceTable.of(true, fixture.capabilities(), guarantees));
    }
  }

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
