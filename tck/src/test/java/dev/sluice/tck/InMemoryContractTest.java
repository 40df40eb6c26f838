package dev.sluice.tck;

import java.nio.file.Path;

class InMemoryContractTest extends StorageContract {

  @Override
  protected StorageFixture createFixture() {
    return new InMemoryFixture();
  }

  @Override
  protected Path readme() {
    return Path.of("../adapter-inmemory/README.md");
  }
}
