package dev.sluice.adapter.mongo;

import dev.sluice.tck.StorageContract;
import dev.sluice.tck.StorageFixture;

/** The whole contract, against the server that was found. */
class MongoContractTest extends StorageContract {

  @Override
  protected StorageFixture createFixture() {
    return new MongoFixture();
  }
}
