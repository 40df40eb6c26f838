package dev.sluice.examples.sqlite;

import dev.sluice.tck.StorageContract;
import dev.sluice.tck.StorageFixture;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class SqliteContractTest extends StorageContract {

  @TempDir Path directory;

  @Override
  protected StorageFixture createFixture() {
    return new SqliteFixture(directory.resolve("sluice.db"));
  }
}
