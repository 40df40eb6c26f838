package dev.sluice.publisher;

import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.CloudEventDeserializer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** What a {@code read_committed} consumer that uses the CloudEvents SDK finds in a topic. */
public final class Topic {
  private final String bootstrap;
  private final String name;

  public Topic(String bootstrap, String name) {
    this.bootstrap = bootstrap;
    this.name = name;
  }

  /**
   * Reads until {@code count} records were found and everything is read that was committed by then,
   * and a little longer to notice more than that.
   */
  public List<ConsumerRecord<String, CloudEvent>> read(int count) {
    Map<String, Object> config =
        Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
            bootstrap,
            ConsumerConfig.ISOLATION_LEVEL_CONFIG,
            "read_committed",
            ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG,
            false);
    List<ConsumerRecord<String, CloudEvent>> found = new ArrayList<>();
    try (var consumer =
        new KafkaConsumer<>(config, new StringDeserializer(), new CloudEventDeserializer())) {
      List<TopicPartition> partitions = new ArrayList<>();
      for (PartitionInfo info : consumer.partitionsFor(name)) {
        partitions.add(new TopicPartition(name, info.partition()));
      }
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
      boolean quiet = false;
      while (System.nanoTime() < deadline && (found.size() < count || !quiet)) {
        int before = found.size();
        consumer.poll(Duration.ofMillis(300)).forEach(found::add);
        quiet = found.size() == before && found.size() >= count && isAtEnd(consumer, partitions);
      }
    }
    return found;
  }

  /** Whether nothing that was committed is left to be fetched. */
  private static boolean isAtEnd(KafkaConsumer<?, ?> committed, List<TopicPartition> partitions) {
    return committed.endOffsets(partitions).entrySet().stream()
        .allMatch(end -> committed.position(end.getKey()) >= end.getValue());
  }

  /** The data of all records by key, in the order of the topic. */
  public Map<String, List<String>> byKey(int count) {
    Map<String, List<String>> all = new TreeMap<>();
    for (ConsumerRecord<String, CloudEvent> record : read(count)) {
      all.computeIfAbsent(record.key(), k -> new ArrayList<>()).add(data(record.value()));
    }
    return all;
  }

  public static String data(CloudEvent event) {
    return new String(
        Objects.requireNonNull(event.getData(), "data").toBytes(), StandardCharsets.UTF_8);
  }
}
