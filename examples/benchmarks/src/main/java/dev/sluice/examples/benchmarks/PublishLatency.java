package dev.sluice.examples.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.publisher.Relay;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.testservers.OwnedKafka;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** How long a message takes from the call that appends it until a consumer has it. */
final class PublishLatency {

  /** Messages per second. */
  static final int RATE = 200;

  private final OwnedKafka kafka;
  private final Postgres postgres;
  private final int seconds;

  PublishLatency(OwnedKafka kafka, Postgres postgres, int seconds) {
    this.kafka = kafka;
    this.postgres = postgres;
    this.seconds = seconds;
  }

  private interface Sender {
    void send(UUID id, int number);
  }

  void run(Report report) throws Exception {
    relay("bank.warm", true, 3);
    report.latency("append to consumer", 30, 100, relay("bank.once", true, seconds));
    report.latency("the same, at least once", 10, 0, relay("bank.least", false, seconds));
    report.latency("send to consumer, by hand", 0, 0, byHand("bank.once", seconds));
  }

  @SuppressWarnings("try")
  private long[] relay(String topic, boolean transactions, int forSeconds) throws Exception {
    KafkaMessagePublisher.Builder builder = PostgresPublish.publisher(kafka, topic);
    if (!transactions) {
      builder.atLeastOnce();
    }
    CountDownLatch caughtUp =
        new CountDownLatch((int) postgres.storage().outbox().count(Position.START));
    try (KafkaMessagePublisher publisher = builder.build()) {
      publisher.verify();
      try (Relay relay =
          PostgresPublish.relay(postgres, new PostgresPublish.Counting(publisher, caughtUp))) {
        PostgresPublish.await(caughtUp);
        return measure(topic, forSeconds, this::append);
      }
    }
  }

  private void append(UUID id, int number) {
    int key = number % PostgresPublish.KEYS;
    postgres
        .storage()
        .eventStore()
        .append(
            StreamId.of("account", "single-" + key),
            ExpectedVersion.any(),
            List.of(PostgresPublish.event(id, "account-" + key, Instant.now())));
  }

  private long[] byHand(String topic, int forSeconds) throws Exception {
    try (var producer = PostgresPublish.producer(kafka)) {
      return measure(
          topic,
          forSeconds,
          (id, number) -> {
            producer.beginTransaction();
            ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(
                    topic,
                    number % PostgresPublish.PARTITIONS,
                    ("account-" + number % PostgresPublish.KEYS).getBytes(UTF_8),
                    Samples.DATA.toBytes());
            record.headers().add("ce_id", id.toString().getBytes(UTF_8));
            var unused = producer.send(record);
            producer.commitTransaction();
          });
    }
  }

  /** Sends from one thread, and receives in this one. */
  private long[] measure(String topic, int forSeconds, Sender sender) throws InterruptedException {
    long[] latencies = new long[forSeconds * RATE];
    Map<String, Long> sent = new ConcurrentHashMap<>();
    try (var consumer = PostgresPublish.consumer(kafka, topic)) {
      consumer.seekToEnd(consumer.assignment());
      consumer.assignment().forEach(consumer::position);
      Thread sending = Thread.ofPlatform().start(() -> sendAtRate(sender, latencies.length, sent));
      receive(consumer, sent, latencies);
      sending.join();
    }
    return latencies;
  }

  private static void sendAtRate(Sender sender, int count, Map<String, Long> sent) {
    long begin = System.nanoTime();
    for (int i = 0; i < count; i++) {
      long next = begin + TimeUnit.SECONDS.toNanos(i) / RATE;
      while (System.nanoTime() < next) {
        LockSupport.parkNanos(next - System.nanoTime());
      }
      UUID id = EventIds.next();
      sent.put(id.toString(), System.nanoTime());
      sender.send(id, i);
    }
  }

  private static void receive(
      KafkaConsumer<byte[], byte[]> consumer, Map<String, Long> sent, long[] latencies) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60 + latencies.length / RATE);
    for (int received = 0; received < latencies.length; ) {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
        String id = new String(record.headers().lastHeader("ce_id").value(), UTF_8);
        Long begin = sent.remove(id);
        if (begin != null) {
          latencies[received++] = System.nanoTime() - begin;
        }
      }
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException("received only " + received + " of " + latencies.length);
      }
    }
  }
}
