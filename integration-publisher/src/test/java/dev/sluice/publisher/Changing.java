package dev.sluice.publisher;

import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.jspecify.annotations.Nullable;

/**
 * Changes records of messages on their way, as a setting of its own says: for what a broker only
 * refuses in records that the publisher doesn't make. Of producers only, like most interceptors.
 */
public final class Changing implements ProducerInterceptor<byte[], byte[]> {
  private static final String SETTING = "test.change";

  private @Nullable Change change;

  /** What becomes of a record. */
  public interface Change extends UnaryOperator<ProducerRecord<byte[], byte[]>> {}

  static KafkaMessagePublisher.Builder in(KafkaMessagePublisher.Builder builder, Change change) {
    return builder.client("interceptor.classes", Changing.class.getName()).client(SETTING, change);
  }

  @Override
  public void configure(Map<String, ?> configs) {
    change = (Change) configs.get(SETTING);
  }

  @Override
  public ProducerRecord<byte[], byte[]> onSend(ProducerRecord<byte[], byte[]> record) {
    return record.topic().startsWith("sluice-relay-")
        ? record
        : Objects.requireNonNull(change, SETTING).apply(record);
  }

  @Override
  public void onAcknowledgement(RecordMetadata metadata, Exception exception) {}

  @Override
  public void close() {}
}
