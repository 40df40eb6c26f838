package dev.sluice.publisher;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;

/** What only the broker sees in a record, and for which it refuses the whole batch. */
@SuppressWarnings("try")
class RefusedByTheBrokerTest extends KafkaFixture {

  @Test
  void K2_K5_poisonThatIsNotTheFirstOfItsBatchIsParked() {
    try (KafkaMessagePublisher changing =
            Changing.in(publisher(), RefusedByTheBrokerTest::withoutKeyIfPoison).build();
        Relay relay = relay(changing).poison(PoisonPolicy.PARK_KEY).start()) {
      append("a", "0");
      assertThat(topic.read(1)).hasSize(1);
      // A topic that keeps the last message of each key takes none without a key; of the others in
      // the batch Kafka says only that they were in it.
      setTopic(name, "cleanup.policy", "compact");
      UUID poison = Messages.appendAll(storage, DEPOSIT, "a", "1", "2", "poison", "4").get(2);
      append("b", "5");
      LaneStatus status =
          await(
              "parked",
              () -> {
                LaneStatus now = awaitStatus(Condition.RUNNING);
                return now.parked().isEmpty() ? null : now;
              });
      assertThat(status.parked().get(0).first().id()).isEqualTo(poison);
      assertThat(topic.byKey(4)).isEqualTo(Map.of("a", List.of("0", "1", "2"), "b", List.of("5")));
    }
  }

  private static ProducerRecord<byte[], byte[]> withoutKeyIfPoison(
      ProducerRecord<byte[], byte[]> record) {
    return new String(record.value(), UTF_8).equals("poison")
        ? new ProducerRecord<>(
            record.topic(), record.partition(), null, null, record.value(), record.headers())
        : record;
  }

  @Test
  void K5_aClockThatIsWrongIsNoFaultOfTheMessage() {
    append("a", "1");
    try (KafkaMessagePublisher fast =
            Changing.in(publisher(), RefusedByTheBrokerTest::inTwoHours).build();
        Relay relay = relay(fast).start()) {
      assertThat(awaitStatus(Condition.FAILING).error().orElseThrow())
          .contains("clock", "message.timestamp.after.max.ms");
    }
    try (Relay relay = relay().start()) {
      assertThat(topic.byKey(1)).isEqualTo(Map.of("a", List.of("1")));
    }
  }

  private static ProducerRecord<byte[], byte[]> inTwoHours(ProducerRecord<byte[], byte[]> record) {
    long time = Instant.now().plus(Duration.ofHours(2)).toEpochMilli();
    return new ProducerRecord<>(
        record.topic(), record.partition(), time, record.key(), record.value(), record.headers());
  }
}
