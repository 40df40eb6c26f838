package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import dev.sluice.testservers.KafkaServer;
import io.cloudevents.CloudEvent;
import io.cloudevents.SpecVersion;
import java.net.URI;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try")
class RelayTest {
  private static final URI SOURCE = URI.create("urn:test:bank");
  private static final String DEPOSIT = "bank.deposit";

  private final String bootstrap = KafkaServer.shared().bootstrap();
  private final String name = "t" + UUID.randomUUID().toString().substring(0, 8);
  private final TestStore store = new TestStore();
  private final Topic topic = new Topic(bootstrap, name);
  private final KafkaMessagePublisher publisher =
      KafkaMessagePublisher.builder(
              bootstrap, SOURCE, PublishedLanguage.builder().topic(name, 3, DEPOSIT).build())
          .build();

  @BeforeEach
  void createTopic() {
    publisher.verify();
  }

  @AfterEach
  void close() {
    publisher.close();
  }

  private Relay.Builder relay() {
    return Relay.builder(name, store, store.checkpoints(), store.leases(), publisher)
        .leaseDuration(Duration.ofSeconds(1));
  }

  @Test
  void K1_publishesCloudEventsThatTheSdkReads() {
    OutboxMessage message = store.add(DEPOSIT, "account-1", "{\"amount\":42}");
    try (Relay relay = relay().start()) {
      List<ConsumerRecord<String, CloudEvent>> found = topic.read(1);
      assertThat(found).hasSize(1);
      CloudEvent event = found.get(0).value();
      assertThat(found.get(0).key()).isEqualTo("account-1");
      assertThat(event.getSpecVersion()).isEqualTo(SpecVersion.V1);
      assertThat(event.getId()).isEqualTo(message.message().id().toString());
      assertThat(event.getSource()).isEqualTo(SOURCE);
      assertThat(event.getType()).isEqualTo(DEPOSIT);
      assertThat(event.getSubject()).isEqualTo("account-1");
      assertThat(event.getTime()).isEqualTo(message.message().time().atOffset(ZoneOffset.UTC));
      assertThat(event.getDataContentType()).isEqualTo("application/json");
      assertThat(event.getExtension("correlationid")).isEqualTo("correlation-account-1");
      assertThat(event.getExtension("causationid")).isNull();
      assertThat(Topic.data(event)).isEqualTo("{\"amount\":42}");
    }
  }

  @Test
  void K2_K3_aRestartedRelayGoesOnWhereTheLastOneStopped() {
    for (int i = 0; i < 250; i++) {
      store.add(DEPOSIT, "k" + i % 5, "" + i);
    }
    try (Relay first = relay().start()) {
      assertThat(topic.read(250)).hasSize(250);
    }
    for (int i = 250; i < 300; i++) {
      store.add(DEPOSIT, "k" + i % 5, "" + i);
    }
    try (Relay second = relay().start()) {
      Map<String, List<String>> found = topic.byKey(300);
      assertThat(found).hasSize(5);
      for (int key = 0; key < 5; key++) {
        int first = key;
        assertThat(found.get("k" + key))
            .isEqualTo(
                java.util.stream.IntStream.range(0, 60)
                    .mapToObj(i -> "" + (first + 5 * i))
                    .toList());
      }
    }
  }
}
