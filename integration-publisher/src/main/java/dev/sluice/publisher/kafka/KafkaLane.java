package dev.sluice.publisher.kafka;

import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.core.outbox.LaneFencedException;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.MessageRefusedException;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import dev.sluice.core.outbox.TypeNotPublishedException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/** One lane and its producer. Used by one thread. */
final class KafkaLane implements MessagePublisher.Lane {
  private final KafkaMessagePublisher publisher;
  private final String relay;
  private final int lane;
  private final String progressTopic;
  private final boolean transactions;
  private final KafkaProducer<byte[], byte[]> producer;
  private final Optional<Progress> progress;
  private final Map<String, Integer> limits;
  private boolean broken;

  /** The record of a batch that tells most about why it failed; written by callbacks. */
  private volatile @Nullable Failure failure;

  private record Failure(@Nullable OutboxMessage message, Exception cause) {}

  KafkaLane(
      KafkaMessagePublisher publisher,
      String relay,
      int lane,
      String progressTopic,
      KafkaProducer<byte[], byte[]> producer,
      Optional<Progress> progress,
      Map<String, Integer> limits) {
    this.publisher = publisher;
    this.relay = relay;
    this.lane = lane;
    this.progressTopic = progressTopic;
    this.transactions = publisher.transactions();
    this.producer = producer;
    this.progress = progress;
    this.limits = limits;
  }

  @Override
  public Optional<Progress> progress() {
    return progress;
  }

  @Override
  public void publish(List<OutboxMessage> messages, Progress reached) {
    if (broken) {
      throw new BrokerUnavailableException(name() + " failed before: open it again");
    }
    // All of them before the first is sent: a refusal in the middle of a batch must not let the
    // messages behind it overtake.
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>(messages.size());
    for (OutboxMessage message : messages) {
      records.add(checked(message));
    }
    failure = null;
    try {
      if (transactions) {
        producer.beginTransaction();
      }
      for (int i = 0; i < records.size() && failure == null; i++) {
        send(records.get(i), messages.get(i));
      }
      if (!transactions) {
        // Progress must never be ahead of a message.
        producer.flush();
        failIfRefused();
      }
      send(publisher.progressRecord(progressTopic, lane, reached), null);
      if (transactions) {
        failIfRefused();
        producer.commitTransaction();
      } else {
        producer.flush();
        failIfRefused();
      }
    } catch (KafkaException e) {
      throw failed(e);
    }
  }

  private void send(ProducerRecord<byte[], byte[]> record, @Nullable OutboxMessage message) {
    // The callback is where a failure is seen; commit and flush wait for all of them.
    var unused =
        producer.send(
            record,
            (metadata, exception) -> {
              if (exception != null) {
                note(new Failure(message, exception));
              }
            });
  }

  /**
   * The callbacks of a batch come in the order of its records, which needn't begin with the bad.
   */
  private synchronized void note(Failure next) {
    Failure known = failure;
    if (known == null || KafkaFailures.tellsMore(next.cause(), known.cause())) {
      failure = next;
    }
  }

  private void failIfRefused() {
    Failure failed = failure;
    if (failed != null) {
      throw new KafkaException(failed.cause());
    }
  }

  private RuntimeException failed(KafkaException thrown) {
    awaitCallbacks(thrown);
    Failure first = failure;
    Exception cause = first == null ? thrown : first.cause();
    if (KafkaFailures.isFenced(cause) || KafkaFailures.isFenced(thrown)) {
      broken = true;
      return new LaneFencedException(
          name()
              + " has a newer owner, or Kafka no longer knows this one; what has become of the"
              + " batch is known when the lane is opened again",
          cause);
    }
    OutboxMessage message = first == null ? null : first.message();
    if (message != null && KafkaFailures.isRefusal(cause)) {
      try {
        if (transactions) {
          producer.abortTransaction();
        }
      } catch (KafkaException e) {
        broken = true;
      }
      return new MessageRefusedException(message, "Kafka answered: " + cause.getMessage());
    }
    // Whether a commit was reached is unknown here. The next owner of the lane finds out: opening
    // ends this transaction one way or the other before it reads the progress.
    broken = true;
    return KafkaFailures.unavailable(name() + ": Kafka did not take a batch", cause);
  }

  private ProducerRecord<byte[], byte[]> checked(OutboxMessage message) {
    PublishedLanguage.Route route = publisher.language().route(message.message().type());
    if (route == null) {
      throw new TypeNotPublishedException(
          message,
          "no topic is named for its type in this process, which leaves it to others meanwhile: run"
              + " a version that publishes it, or add the type here with"
              + " PublishedLanguage.builder().topic(…)");
    }
    ProducerRecord<byte[], byte[]> record =
        publisher.cloudEvents().record(message.message(), route);
    long size = sizeUpperBound(record);
    if (size > publisher.maxRequestSize()) {
      throw new MessageRefusedException(
          message,
          "it takes up to "
              + size
              + " bytes, the producer's max.request.size is "
              + publisher.maxRequestSize());
    }
    // A compressed record may fit where its plain form doesn't: then only the broker can tell, and
    // the batch is aborted. Without a transaction, what is behind the record would overtake it.
    boolean brokerDecides = publisher.compresses() && transactions;
    if (!brokerDecides && size > limits.getOrDefault(route.topic(), Integer.MAX_VALUE)) {
      int limit = publisher.maxMessageBytes(route.topic());
      limits.put(route.topic(), limit);
      if (size > limit) {
        throw new MessageRefusedException(
            message,
            "it takes up to "
                + size
                + " bytes, max.message.bytes of topic "
                + route.topic()
                + " is "
                + limit);
      }
    }
    return record;
  }

  /** The size of a batch that holds only this record, a few bytes more than it can be. */
  private static long sizeUpperBound(ProducerRecord<byte[], byte[]> record) {
    final int batchOverhead = 61;
    final int recordOverhead = 21;
    final int length = 5;
    long size = batchOverhead + recordOverhead + 2 * length;
    size += record.key().length + record.value().length;
    for (Header header : record.headers()) {
      // Header names are ASCII.
      size += 2 * length + header.key().length() + header.value().length;
    }
    return size;
  }

  /**
   * The other callbacks of a batch may still be on their way when the first one was seen, or the
   * commit has failed before all of them. Not after a time-out, when they may take as long again.
   */
  private void awaitCallbacks(KafkaException thrown) {
    Failure known = failure;
    Exception cause = known == null ? thrown : known.cause();
    if (!KafkaFailures.isRefusal(cause)
        && !KafkaFailures.isFenced(cause)
        && !(cause instanceof TimeoutException)) {
      try {
        producer.flush();
      } catch (KafkaException e) {
        broken = true;
      }
    }
  }

  private String name() {
    return "lane " + lane + " of relay " + relay;
  }

  @Override
  public void close() {
    // Not waiting for what a failed batch left behind: its transaction ends with the next owner.
    producer.close(broken ? Duration.ZERO : Duration.ofSeconds(5));
  }
}
