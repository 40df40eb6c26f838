package dev.sluice.publisher.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.core.Position;
import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.core.outbox.Progress;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;

/**
 * How far each lane has come, as records of a compacted topic. A lane has a partition of its own:
 * in a shared one, the open transaction of a neighbour would hide a lane's last record.
 */
final class KafkaProgress {
  private static final int FIRST_LOOK = 64;
  private static final Duration POLL = Duration.ofMillis(100);

  private final Map<String, Object> consumerConfig;
  private final Duration timeout;

  KafkaProgress(Map<String, Object> consumerConfig, Duration timeout) {
    this.consumerConfig = consumerConfig;
    this.timeout = timeout;
  }

  ProducerRecord<byte[], byte[]> record(String topic, int lane, Progress progress) {
    return new ProducerRecord<>(
        topic, lane, key(lane), (progress.position() + "\n" + progress.state()).getBytes(UTF_8));
  }

  /**
   * Reads the last committed record of a lane. Call it only after the earlier owner was fenced:
   * until then that owner can still commit a newer one.
   *
   * @param end the end of the lane's partition, with what is not committed. The end that a reader
   *     of committed records is told may lie before a commit that was just acknowledged
   */
  Optional<Progress> read(String topic, int lane, long end) {
    TopicPartition partition = new TopicPartition(topic, lane);
    byte[] key = key(lane);
    try (var consumer = newConsumer()) {
      List<TopicPartition> partitions = List.of(partition);
      consumer.assign(partitions);
      long begin =
          Objects.requireNonNull(
              consumer.beginningOffsets(partitions, timeout).get(partition), "offset");
      // The last record is nearly always close to the end. Older parts are read only when it is
      // not, as after many aborted transactions.
      for (long look = FIRST_LOOK; ; look *= 64) {
        long from = Math.max(begin, end - look);
        byte[] last = last(consumer, partition, key, from, end);
        if (last != null) {
          return Optional.of(parse(last, partition));
        }
        if (from == begin) {
          return Optional.empty();
        }
      }
    } catch (KafkaException e) {
      throw KafkaFailures.unavailable(
          "can't read the progress of lane " + lane + " from topic " + topic, e);
    }
  }

  KafkaConsumer<byte[], byte[]> newConsumer() {
    try {
      return new KafkaConsumer<>(
          consumerConfig, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    } catch (KafkaException e) {
      throw KafkaFailures.notMade("consumer", e);
    }
  }

  private byte @Nullable [] last(
      KafkaConsumer<byte[], byte[]> consumer,
      TopicPartition partition,
      byte[] key,
      long from,
      long end) {
    consumer.seek(partition, from);
    byte[] last = null;
    long deadline = System.nanoTime() + timeout.toNanos();
    while (consumer.position(partition, timeout) < end) {
      long before = consumer.position(partition);
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
        if (Arrays.equals(record.key(), key)) {
          last = record.value();
        }
      }
      if (consumer.position(partition) > before) {
        deadline = System.nanoTime() + timeout.toNanos();
      } else if (System.nanoTime() - deadline > 0) {
        throw new BrokerUnavailableException(
            "progress topic "
                + partition.topic()
                + ", partition "
                + partition.partition()
                + ": nothing can be read after offset "
                + before
                + " though the partition ends at "
                + end
                + "; is a transaction of somebody else open there (kafka-transactions"
                + " find-hanging)?");
      }
    }
    return last;
  }

  private static byte[] key(int lane) {
    return Integer.toString(lane).getBytes(UTF_8);
  }

  private Progress parse(byte[] value, TopicPartition partition) {
    String text = new String(value, UTF_8);
    int line = text.indexOf('\n');
    try {
      return new Progress(Position.parse(text.substring(0, line)), text.substring(line + 1));
    } catch (RuntimeException e) {
      throw new BrokerUnavailableException(
          "the progress of lane "
              + partition.partition()
              + " in topic "
              + partition.topic()
              + " can't be understood: did something else write to that topic?",
          e);
    }
  }
}
