package dev.sluice.adapter.mongo;

import dev.sluice.tck.StorageContract;
import dev.sluice.tck.StorageFixture;
import java.nio.file.Path;

/** The whole contract, against the server that was found. */
class MongoContractTest extends StorageContract {

  @Override
  protected StorageFixture createFixture() {
    return new MongoFixture();
  }

  /** The table in the README is that of a standalone server; a replica set can do more. */
  @Override
  protected Path readme() {
    try (MongoFixture fixture = new MongoFixture();
        MongoStorage storage = fixture.open()) {
      return Path.of(storage.joinsSessions() ? "no README" : "README.md");
    }
  }
}
