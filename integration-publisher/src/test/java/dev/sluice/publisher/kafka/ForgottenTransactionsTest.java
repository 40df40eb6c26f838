package dev.sluice.publisher.kafka;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import dev.sluice.publisher.Messages;
import dev.sluice.publisher.Topic;
import dev.sluice.testservers.OwnedKafka;
import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class ForgottenTransactionsTest {
  private static final String TYPE = "bank.deposit";
  private static final String COORDINATOR = "__transaction_state";
  private static final Duration TIMEOUT = Duration.ofSeconds(10);

  private static final OwnedKafka kafka = OwnedKafka.start();

  private final String name = "f" + UUID.randomUUID().toString().substring(0, 8);
  private final String id = "sluice-relay-" + name + "-0";
  private final TopicPartition progress = new TopicPartition("sluice-relay-" + name, 0);
  private final Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrap()));
  private final KafkaMessagePublisher publisher =
      KafkaMessagePublisher.builder(
              kafka.bootstrap(),
              URI.create("urn:test:bank"),
              PublishedLanguage.builder().topic(name, 2, TYPE).build())
          .build();

  @AfterAll
  static void stopBroker() {
    kafka.close();
  }

  @BeforeEach
  void createTopics() {
    publisher.open(name, 0).close();
  }

  @AfterEach
  void closeClients() {
    publisher.close();
    admin.close();
  }

  private static KafkaProducer<byte[], byte[]> producer(Map<String, Object> settings) {
    Map<String, Object> config = new HashMap<>(settings);
    config.put("bootstrap.servers", kafka.bootstrap());
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static KafkaProducer<byte[], byte[]> owner(String transactionalId) {
    KafkaProducer<byte[], byte[]> owner = producer(Map.of("transactional.id", transactionalId));
    owner.initTransactions();
    return owner;
  }

  private void send(KafkaProducer<byte[], byte[]> producer, int partition, String key)
      throws Exception {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(name, partition, key.getBytes(UTF_8), "1".getBytes(UTF_8));
    Map.of("ce_specversion", "1.0", "ce_id", key, "ce_source", "urn:test:raw", "ce_type", TYPE)
        .forEach((header, value) -> record.headers().add(header, value.getBytes(UTF_8)));
    producer.send(record).get();
  }

  /**
   * Leaves a transaction open in a partition, and has its coordinator forget it: what that noted
   * last is what it had noted before the transaction began.
   */
  private void forget(int partition) throws Exception {
    KafkaProducer<byte[], byte[]> lost = owner(id);
    ConsumerRecord<byte[], byte[]> before = noted();
    lost.beginTransaction();
    send(lost, partition, "forgotten");
    // The only client that may write there.
    try (KafkaProducer<byte[], byte[]> eraser = producer(Map.of("client.id", "__admin_client"))) {
      eraser
          .send(
              new ProducerRecord<>(
                  before.topic(), before.partition(), before.key(), before.value()))
          .get();
    }
    lost.close(Duration.ZERO);
    kafka.kill();
    kafka.restart();
  }

  /** What the coordinator noted last about the transactional id. */
  private ConsumerRecord<byte[], byte[]> noted() {
    ConsumerRecord<byte[], byte[]> last = null;
    try (var consumer =
        new KafkaConsumer<>(
            Map.<String, Object>of("bootstrap.servers", kafka.bootstrap()),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          IntStream.range(0, consumer.partitionsFor(COORDINATOR).size())
              .mapToObj(i -> new TopicPartition(COORDINATOR, i))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream().anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          if (new String(record.key(), ISO_8859_1).endsWith(id)) {
            last = record;
          }
        }
      }
    }
    return Objects.requireNonNull(last, "the coordinator knows nothing of " + id);
  }

  private long open(int partition) throws Exception {
    TopicPartition of = new TopicPartition(name, partition);
    return admin.describeProducers(List.of(of)).partitionResult(of).get().activeProducers().stream()
        .filter(state -> state.currentTransactionStartOffset().isPresent())
        .count();
  }

  @Test
  void K3_aForgottenTransactionOfAnEventTopicIsAborted_andNobodyElses() throws Exception {
    forget(0);
    forget(1);
    try (KafkaProducer<byte[], byte[]> other = owner("other-" + name)) {
      other.beginTransaction();
      send(other, 0, "other");
      // Open in the events' partitions only: the progress can be read, and gives nothing away.
      try (MessagePublisher.Lane lane = publisher.open(name, 0)) {
        assertThat(open(0)).as("the other's").isEqualTo(1);
        assertThat(open(1)).isZero();
        for (String key : List.of("a", "b", "c", "d", "e")) {
          OutboxMessage message =
              new OutboxMessage(
                  new Position(1),
                  Messages.event(EventIds.next(), TYPE, key, "1").messages().get(0));
          lane.publish(List.of(message), new Progress(new Position(1), ""));
        }
      }
      other.commitTransaction();
    }
    // None of the forgotten ones, which a commit in the same partition would have taken along.
    assertThat(new Topic(kafka.bootstrap(), name).byKey(6))
        .containsOnlyKeys("a", "b", "c", "d", "e", "other");
  }

  @Test
  void K6_anOwnerThatWasReplacedEndsNothing() throws Exception {
    ForgottenTransactions stalled = new ForgottenTransactions(admin, List.of(name), TIMEOUT);
    forget(0);
    try (KafkaProducer<byte[], byte[]> successor = owner(id)) {
      successor.beginTransaction();
      send(successor, 1, "successor");
      stalled.abort(id, progress);
      assertThat(open(0)).as("while the successor's transaction is open").isEqualTo(1);
      successor.commitTransaction();
      stalled.abort(id, progress);
      assertThat(open(0)).as("when it is over").isEqualTo(1);
    }
    owner(id).close();
    stalled.abort(id, progress);
    assertThat(open(0)).as("for who has the last word").isZero();
  }
}
