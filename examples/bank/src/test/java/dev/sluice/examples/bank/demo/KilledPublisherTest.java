package dev.sluice.examples.bank.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Storage;
import dev.sluice.testservers.OwnedKafka;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The demo's publisher is killed with messages in the outbox; the next run of the demo sends them.
 */
@Timeout(300)
class KilledPublisherTest {

  /** What a consumer sees of a message. */
  private record Seen(String id, String key) {}

  @Test
  void nothing_is_lost_and_nothing_comes_twice_when_the_publisher_is_killed_between_two_runs()
      throws Exception {
    // A broker of its own: what other stores' relays of the same name have published fits no other.
    try (OwnedKafka broker = OwnedKafka.start()) {
      killBetweenTwoRuns(broker.bootstrap());
    }
  }

  private static void killBetweenTwoRuns(String kafka) throws Exception {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    String uri = database.url() + "?user=" + database.user() + "&password=" + database.password();
    Set<String> before = ids(published(kafka));

    runUntilKilled(uri, kafka);

    List<Seen> inTheOutbox = outbox(database);
    List<Seen> published = since(before, kafka);
    assertThat(published).as("published before the kill").isNotEmpty();
    assertThat(inTheOutbox).as("more than was published").hasSizeGreaterThan(published.size());
    assertThat(inTheOutbox).containsAll(published);

    Properties properties = new Properties();
    properties.setProperty("postgres.uri", uri);
    properties.setProperty("kafka.bootstrap", kafka);
    ByteArrayOutputStream story = new ByteArrayOutputStream();
    try (Servers servers = Servers.start(DemoSettings.of(properties))) {
      new Story(servers, new PrintStream(story, true, UTF_8)).tell();
    }

    assertThat(story.toString(UTF_8)).contains("That's all.");
    List<Seen> all = since(before, kafka);
    List<Seen> expected = outbox(database);
    assertThat(expected).hasSize(inTheOutbox.size() + 2);
    assertThat(byKey(all)).as("each once, those of an account in order").isEqualTo(byKey(expected));
  }

  private static void runUntilKilled(String uri, String kafka) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Dpostgres.uri=" + uri,
                "-Dkafka.bootstrap=" + kafka,
                "-cp",
                System.getProperty("java.class.path"),
                DepositsProcess.class.getName())
            .redirectErrorStream(true)
            .start();
    Thread.startVirtualThread(() -> endIfLate(process));
    try {
      awaitReady(process);
    } finally {
      process.destroyForcibly();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    }
  }

  private static void endIfLate(Process process) {
    try {
      if (!process.waitFor(90, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void awaitReady(Process process) throws IOException {
    List<String> said = new ArrayList<>();
    try (BufferedReader output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8))) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        if (line.equals(DepositsProcess.READY)) {
          return;
        }
        said.add(line);
      }
    }
    throw new AssertionError("The process ended by itself: " + String.join("\n", said));
  }

  private static List<Seen> outbox(PostgresDatabase database) {
    List<Seen> all = new ArrayList<>();
    try (Storage storage = JdbcStorage.create(database.dataSource())) {
      Position after = Position.START;
      for (List<OutboxMessage> page = storage.outbox().read(after, 1_000);
          !page.isEmpty();
          page = storage.outbox().read(after, 1_000)) {
        page.forEach(
            each -> all.add(new Seen(each.message().id().toString(), each.message().key())));
        after = page.getLast().position();
      }
    }
    return all;
  }

  private static List<Seen> since(Set<String> before, String kafka) {
    return published(kafka).stream().filter(seen -> !before.contains(seen.id())).toList();
  }

  private static Set<String> ids(List<Seen> seen) {
    Set<String> ids = new HashSet<>();
    seen.forEach(each -> ids.add(each.id()));
    return ids;
  }

  private static Map<String, List<String>> byKey(List<Seen> seen) {
    Map<String, List<String>> byKey = new TreeMap<>();
    seen.forEach(
        each -> byKey.computeIfAbsent(each.key(), key -> new ArrayList<>()).add(each.id()));
    return byKey;
  }

  /** All that is in the topic for a consumer that reads committed messages only. */
  private static List<Seen> published(String kafka) {
    List<Seen> all = new ArrayList<>();
    try (KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(
            Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                kafka,
                ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                "read_committed"),
            new StringDeserializer(),
            new StringDeserializer())) {
      if (!consumer.listTopics().containsKey(Servers.TOPIC)) {
        return all;
      }
      List<TopicPartition> partitions =
          consumer.partitionsFor(Servers.TOPIC).stream()
              .map(partition -> new TopicPartition(Servers.TOPIC, partition.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      // The end that counts is that of the committed messages.
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream()
          .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
          String id = new String(record.headers().lastHeader("ce_id").value(), UTF_8);
          all.add(new Seen(id, record.key()));
        }
      }
    }
    return all;
  }
}
