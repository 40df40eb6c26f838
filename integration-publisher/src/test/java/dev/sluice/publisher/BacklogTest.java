package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.publisher.PublisherProcess.Mode;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.api.Test;

/** A long outage is over, and the publisher, in a JVM with a heap of 128 MB, catches up. */
class BacklogTest extends KafkaFixture {

  /** Larger with {@code -Dsluice.test.publisher.backlog=1000000}. */
  private static final int BACKLOG = Integer.getInteger("sluice.test.publisher.backlog", 50_000);

  private static final int APPEND = 1_000;

  /** So that a backlog that is held in memory doesn't fit, if there are enough messages. */
  private static final String FILL = "x".repeat(400);

  /** As many as a batch has small ones would not fit. */
  private static final int LARGE = 500;

  private static final String LARGE_FILL = "x".repeat(200_000);

  @Test
  void K3_aBacklogDrainsInASmallHeap() {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    try (HikariDataSource pool = PublisherProcess.pool(database, 3);
        JdbcStorage storage = JdbcStorage.create(pool)) {
      for (int done = 0; done < BACKLOG; done += APPEND) {
        List<NewEvent> events = new ArrayList<>(APPEND);
        for (int i = 0; i < APPEND; i++) {
          events.add(
              Messages.event(
                  EventIds.next(), DEPOSIT, "k" + i % 100, "\"" + (done + i) + FILL + "\""));
        }
        append(storage, events);
      }
      // Behind many small ones, where nobody expects them.
      for (int done = 0; done < LARGE; done += 20) {
        List<NewEvent> events = new ArrayList<>();
        for (int i = done; i < done + 20; i++) {
          events.add(
              Messages.event(
                  EventIds.next(),
                  DEPOSIT,
                  "k" + i % 100,
                  "\"" + (BACKLOG + i) + LARGE_FILL + "\""));
        }
        append(storage, events);
      }
      long begin = System.nanoTime();
      try (PublisherProcess publisher =
          PublisherProcess.start(Mode.LARGE_BATCHES, database, bootstrap, name, 1)) {
        RelayControl control =
            new RelayControl(name, storage.outbox(), storage.checkpoints(), storage.leases());
        while (control.status().isEmpty() || control.status().get(0).backlog() > 0) {
          assertThat(publisher.isRunning()).isTrue();
          assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofMinutes(5));
          LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
        }
      }
      System.out.printf(
          "%d messages published in %.1f s%n", BACKLOG, (System.nanoTime() - begin) / 1e9);
      assertThat(published()).isEqualTo(BACKLOG + LARGE);
    }
  }

  private static void append(JdbcStorage storage, List<NewEvent> events) {
    StreamId stream = StreamId.of("account", events.get(0).id().toString());
    storage.eventStore().append(new Append(stream, ExpectedVersion.any(), events));
  }

  /** How many messages consumers find; each key's numbers must rise. */
  private int published() {
    int count = 0;
    int[] last = new int[100];
    java.util.Arrays.fill(last, -1);
    try (var consumer =
        new KafkaConsumer<>(
            Map.<String, Object>of(
                "bootstrap.servers", bootstrap, "isolation.level", "read_committed"),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(name).stream()
              .map(info -> new TopicPartition(name, info.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      for (int quiet = 0; quiet < 3; quiet++) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          quiet = 0;
          count++;
          String data = new String(record.value(), java.nio.charset.StandardCharsets.UTF_8);
          int number = Integer.parseInt(data.substring(1, data.indexOf('x')));
          assertThat(number).isGreaterThan(last[number % 100]);
          last[number % 100] = number;
        }
      }
    }
    return count;
  }
}
