package dev.sluice.adapter.jdbc;

import dev.sluice.tck.StorageContract;
import dev.sluice.tck.StorageFixture;

class PostgresContractTest extends StorageContract {

  @Override
  public StorageFixture createFixture() {
    return new PostgresFixture();
  }
}
