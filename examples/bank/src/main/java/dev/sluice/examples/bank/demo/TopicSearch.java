package dev.sluice.examples.bank.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** All that is in a topic: keys, headers and values, whoever may have written them. */
record TopicSearch(String text, int records, int bytes) {

  static TopicSearch read(String bootstrapServers, String topic) {
    StringBuilder text = new StringBuilder();
    int records = 0;
    int bytes = 0;
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(
            Map.of(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(partition -> new TopicPartition(topic, partition.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream()
          .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          records++;
          bytes += append(text, record.key()) + append(text, record.value());
          for (var header : record.headers()) {
            bytes += append(text, header.key().getBytes(UTF_8)) + append(text, header.value());
          }
        }
      }
    }
    return new TopicSearch(text.toString(), records, bytes);
  }

  private static int append(StringBuilder text, byte[] bytes) {
    text.append(new String(bytes, UTF_8)).append('\n');
    return bytes.length;
  }

  /** How often a text occurs. */
  int count(String wanted) {
    int count = 0;
    for (int at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
      count++;
    }
    return count;
  }
}
