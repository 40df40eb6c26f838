package dev.sluice.testservers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class KafkaServersTest {

  @Test
  void the_shared_broker_takes_transactions() throws Exception {
    String bootstrap = KafkaServer.shared().bootstrap();
    String topic = "topic-" + UUID.randomUUID();
    try (KafkaProducer<String, String> producer = transactional(bootstrap)) {
      producer.initTransactions();
      producer.beginTransaction();
      producer.send(new ProducerRecord<>(topic, "k", "aborted")).get(20, TimeUnit.SECONDS);
      producer.abortTransaction();
      producer.beginTransaction();
      producer.send(new ProducerRecord<>(topic, "k", "committed")).get(20, TimeUnit.SECONDS);
      producer.commitTransaction();
    }
    assertThat(read(bootstrap, topic, 1)).containsExactly("committed");
  }

  @Test
  void an_owned_broker_keeps_what_it_acknowledged_when_it_is_killed() throws Exception {
    try (OwnedKafka broker = OwnedKafka.start()) {
      send(broker.bootstrap(), "t", "one");
      broker.kill();
      assertThatThrownBy(() -> send(broker.bootstrap(), "t", "lost"))
          .isInstanceOf(ExecutionException.class);
      broker.restart();
      send(broker.bootstrap(), "t", "two");
      assertThat(read(broker.bootstrap(), "t", 2)).containsExactly("one", "two");

      send(broker.bootstrapThroughProxy(), "t", "three");
      broker.proxy().refuse();
      assertThatThrownBy(() -> send(broker.bootstrapThroughProxy(), "t", "lost"))
          .isInstanceOf(ExecutionException.class);
      broker.proxy().heal();
      assertThat(read(broker.bootstrapThroughProxy(), "t", 3))
          .containsExactly("one", "two", "three");
    }
  }

  @Test
  void an_unreachable_explicit_broker_is_named_in_one_message() {
    assertThatThrownBy(() -> KafkaServer.explicit("localhost:1"))
        .hasMessageContaining("No Kafka broker answers at localhost:1")
        .hasMessageContaining("-Dsluice.test.kafka.bootstrap");
  }

  private static KafkaProducer<String, String> transactional(String bootstrap) {
    return new KafkaProducer<>(
        Map.of("bootstrap.servers", bootstrap, "transactional.id", "tx-" + UUID.randomUUID()),
        new StringSerializer(),
        new StringSerializer());
  }

  private static void send(String bootstrap, String topic, String value) throws Exception {
    try (KafkaProducer<String, String> producer =
        new KafkaProducer<>(
            Map.of(
                "bootstrap.servers",
                bootstrap,
                "max.block.ms",
                "3000",
                "request.timeout.ms",
                "2000",
                "delivery.timeout.ms",
                "3000",
                "linger.ms",
                "0"),
            new StringSerializer(),
            new StringSerializer())) {
      producer.send(new ProducerRecord<>(topic, value)).get(20, TimeUnit.SECONDS);
    } catch (org.apache.kafka.common.errors.TimeoutException e) {
      throw new ExecutionException(e);
    }
  }

  private static List<String> read(String bootstrap, String topic, int count) {
    List<String> values = new ArrayList<>();
    try (KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(
            Map.of(
                "bootstrap.servers",
                bootstrap,
                "isolation.level",
                "read_committed",
                "auto.offset.reset",
                "earliest"),
            new StringDeserializer(),
            new StringDeserializer())) {
      consumer.assign(List.of(new TopicPartition(topic, 0)));
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (values.size() < count && System.nanoTime() < end) {
        consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
      }
    }
    return values;
  }
}
