package dev.sluice.tck;

class InMemoryContractTest extends StorageContract {

  @Override
  protected StorageFixture createFixture() {
    return new InMemoryFixture();
  }
}
