package dev.sluice.publisher;

import dev.sluice.tck.MessagePublisherContract;
import dev.sluice.tck.PublisherFixture;

class KafkaPublisherContractTest extends MessagePublisherContract {

  @Override
  protected PublisherFixture createFixture() {
    return new KafkaPublisherFixture();
  }
}
