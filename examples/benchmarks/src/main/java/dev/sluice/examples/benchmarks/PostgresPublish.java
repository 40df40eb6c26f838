package dev.sluice.examples.benchmarks;

import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.publisher.Relay;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import dev.sluice.testservers.OwnedKafka;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Publishes a full outbox, against a transactional producer that sends the same records from
 * memory; and how long a message takes from its append to a {@code read_committed} consumer.
 */
final class PostgresPublish implements Benchmark {

  private static final int BACKLOG = 100_000;
  private static final int APPEND = 1_000;
  private static final int BATCH = 2_000;
  static final int KEYS = 100;
  static final int PARTITIONS = 6;
  private static final int TURNS = 5;

  private static final String TYPE = "bank.large-deposit";
  private static final String RATE_TOPIC = "bank.rate";
  private static final URI SOURCE = URI.create("urn:example:bank");

  @Override
  public String name() {
    return "publish";
  }

  @Override
  public String store() {
    return "postgres";
  }

  @Override
  public List<Integer> defaultThreads() {
    return List.of(1);
  }

  @Override
  public int seconds() {
    return 10;
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    try (OwnedKafka kafka = OwnedKafka.start();
        Postgres postgres = Postgres.start(6, report)) {
      report.note("Kafka: one broker in a process of its own, no compression");
      report.note(
          "-Dthreads has no effect; -Dseconds is how long each latency is measured, at "
              + PublishLatency.RATE
              + " messages/s");
      rate(kafka, postgres, report);
      new PublishLatency(kafka, postgres, settings.seconds()).run(report);
    }
  }

  private static void rate(OwnedKafka kafka, Postgres postgres, Report report) throws Exception {
    for (int i = 0; i < BACKLOG / APPEND; i++) {
      append(postgres, APPEND, i);
    }
    postgres.execute("vacuum (analyze) sluice.outbox");
    // Fills the topic; what a consumer finds there is what the producer sends.
    drain(kafka, postgres);
    List<ProducerRecord<byte[], byte[]>> records = records(kafka);
    double[] byHand = new double[TURNS];
    double[] sluice = new double[TURNS];
    for (int turn = -1; turn < TURNS; turn++) {
      double first = send(kafka, records);
      double second = drain(kafka, postgres);
      if (turn >= 0) {
        byHand[turn] = first;
        sluice[turn] = second;
      }
    }
    Arrays.sort(byHand);
    Arrays.sort(sluice);
    report.add(
        "drain an outbox of " + BACKLOG,
        1,
        "messages/s",
        byHand[TURNS / 2],
        sluice[TURNS / 2],
        0.7);
  }

  private static void append(Postgres postgres, int count, int stream) {
    List<NewEvent> events = new ArrayList<>(count);
    Instant now = Instant.now();
    for (int i = 0; i < count; i++) {
      events.add(event(EventIds.next(), "account-" + i % KEYS, now));
    }
    postgres
        .storage()
        .eventStore()
        .append(StreamId.of("account", "" + stream), ExpectedVersion.any(), events);
  }

  static NewEvent event(UUID messageId, String key, Instant now) {
    return new NewEvent(
        EventIds.next(),
        Samples.TYPE,
        now,
        Samples.DATA,
        Samples.METADATA,
        List.of(
            new IntegrationMessage(
                messageId,
                TYPE,
                key,
                key,
                now,
                Samples.DATA,
                Optional.of("0123456789abcdef012"),
                Optional.empty())));
  }

  static KafkaMessagePublisher.Builder publisher(OwnedKafka kafka, String topic) {
    return KafkaMessagePublisher.builder(
        kafka.bootstrap(),
        SOURCE,
        PublishedLanguage.builder().topic(topic, PARTITIONS, TYPE).build());
  }

  static Relay relay(Postgres postgres, MessagePublisher publisher) {
    return Relay.builder(
            "r" + UUID.randomUUID(),
            postgres.storage().outbox(),
            postgres.storage().checkpoints(),
            postgres.storage().leases(),
            publisher)
        .maxBatchMessages(BATCH)
        // The next one publishes the same messages.
        .keepPublished()
        .start();
  }

  /** The rate of a relay that never ran before, from its start until all is published. */
  @SuppressWarnings("try")
  private static double drain(OwnedKafka kafka, Postgres postgres) throws Exception {
    CountDownLatch left = new CountDownLatch(BACKLOG);
    try (KafkaMessagePublisher publisher = publisher(kafka, RATE_TOPIC).build()) {
      publisher.verify();
      long begin = System.nanoTime();
      try (Relay relay = relay(postgres, new Counting(publisher, left))) {
        await(left);
      }
      return BACKLOG / ((System.nanoTime() - begin) / 1e9);
    }
  }

  private static double send(OwnedKafka kafka, List<ProducerRecord<byte[], byte[]>> records) {
    long begin = System.nanoTime();
    try (var producer = producer(kafka)) {
      for (int from = 0; from < records.size(); from += BATCH) {
        producer.beginTransaction();
        int to = Math.min(records.size(), from + BATCH);
        for (ProducerRecord<byte[], byte[]> record : records.subList(from, to)) {
          // The commit waits for all of them, and fails if one did.
          var unused = producer.send(record);
        }
        producer.commitTransaction();
      }
      return records.size() / ((System.nanoTime() - begin) / 1e9);
    }
  }

  /** With the publisher's settings. */
  static KafkaProducer<byte[], byte[]> producer(OwnedKafka kafka) {
    KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(
            Map.of(
                "bootstrap.servers",
                kafka.bootstrap(),
                "transactional.id",
                "by-hand-" + UUID.randomUUID(),
                "batch.size",
                64 * 1024,
                "retry.backoff.ms",
                10L,
                "acks",
                "all"),
            new ByteArraySerializer(),
            new ByteArraySerializer());
    producer.initTransactions();
    return producer;
  }

  private static List<ProducerRecord<byte[], byte[]>> records(OwnedKafka kafka) {
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>(BACKLOG);
    try (var consumer = consumer(kafka, RATE_TOPIC)) {
      while (records.size() < BACKLOG) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          records.add(
              new ProducerRecord<>(
                  record.topic(),
                  record.partition(),
                  record.timestamp(),
                  record.key(),
                  record.value(),
                  record.headers()));
        }
      }
    }
    return records;
  }

  /** A consumer at the begin of a topic. */
  static KafkaConsumer<byte[], byte[]> consumer(OwnedKafka kafka, String topic) {
    KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(
            Map.of("bootstrap.servers", kafka.bootstrap(), "isolation.level", "read_committed"),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer());
    List<TopicPartition> partitions =
        consumer.partitionsFor(topic).stream()
            .map(info -> new TopicPartition(topic, info.partition()))
            .toList();
    consumer.assign(partitions);
    consumer.seekToBeginning(partitions);
    return consumer;
  }

  /** Counts what was published. */
  record Counting(MessagePublisher publisher, CountDownLatch left) implements MessagePublisher {
    @Override
    public Lane open(String relay, int number) {
      Lane lane = publisher.open(relay, number);
      return new Lane() {
        @Override
        public Optional<Progress> progress() {
          return lane.progress();
        }

        @Override
        public void publish(List<OutboxMessage> messages, Progress reached) {
          lane.publish(messages, reached);
          messages.forEach(message -> left.countDown());
        }

        @Override
        public void close() {
          lane.close();
        }
      };
    }

    @Override
    public void close() {}
  }

  static void await(CountDownLatch latch) throws InterruptedException {
    if (!latch.await(60, TimeUnit.SECONDS)) {
      throw new IllegalStateException("after 60 s " + latch.getCount() + " messages are missing");
    }
  }
}
