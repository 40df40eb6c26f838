package dev.sluice.tck;

class InMemoryBrokerContractTest extends MessagePublisherContract {

  @Override
  protected PublisherFixture createFixture() {
    return new InMemoryBroker();
  }
}
