package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.Position;
import dev.sluice.core.outbox.OutboxMessage;
import io.cloudevents.CloudEvent;
import io.cloudevents.SpecVersion;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try")
class RelayTest extends KafkaFixture {

  @Test
  void K1_publishesCloudEventsThatTheSdkReads() {
    append("account-1", "{\"amount\":42}");
    OutboxMessage message = storage.outbox().read(Position.START, 1).get(0);
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
  void theRetentionOfTheTopicCountsFromThePublication() {
    long begin = System.currentTimeMillis();
    append("a", "1");
    Messages.append(storage, DEPOSIT, "b", "2", Instant.EPOCH);
    try (Relay relay = relay().start()) {
      List<ConsumerRecord<String, CloudEvent>> found = topic.read(2);
      assertThat(found).hasSize(2).allMatch(record -> record.timestamp() >= begin);
      assertThat(found)
          .extracting(record -> Objects.requireNonNull(record.value().getTime()).toInstant())
          .contains(Instant.EPOCH);
    }
  }

  @Test
  void K2_K3_aRestartedRelayGoesOnWhereTheLastOneStopped() {
    for (int i = 0; i < 250; i++) {
      append("k" + i % 5, "" + i);
    }
    try (Relay first = relay().start()) {
      assertThat(topic.read(250)).hasSize(250);
    }
    for (int i = 250; i < 300; i++) {
      append("k" + i % 5, "" + i);
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
