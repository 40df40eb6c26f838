package dev.sluice.examples.fraud;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.core.Payload;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Looks into large deposits, as the bank's topic reports them. For one thread. */
public final class FraudDesk implements AutoCloseable {

  private static final String LARGE_DEPOSIT = "bank.large-deposit-made";

  private final Serializer json = JacksonSerializer.create();
  private final KafkaConsumer<String, byte[]> consumer;
  private final Set<String> seen = new HashSet<>();

  /** Joins the consumer group {@code fraud}, which remembers what was looked into. */
  public FraudDesk(String bootstrapServers, String topic) {
    consumer =
        new KafkaConsumer<>(
            Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                bootstrapServers,
                ConsumerConfig.GROUP_ID_CONFIG,
                "fraud",
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
                "earliest",
                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG,
                false,
                // So long the next run waits for one that was killed.
                ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG,
                6_000,
                ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG,
                2_000,
                // What the bank's relay sends counts once its transaction is committed.
                ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                "read_committed"),
            new StringDeserializer(),
            new ByteArrayDeserializer());
    consumer.subscribe(List.of(topic));
  }

  /** What this context makes of the bank's message; more than this it doesn't read. */
  public record LargeDeposit(String account, long amountCents, String currency) {}

  /** What has come in; waits a while for it, and returns nothing if nothing came. */
  public List<LargeDeposit> receive(Duration patience) {
    List<LargeDeposit> deposits = new ArrayList<>();
    for (ConsumerRecord<String, byte[]> record : consumer.poll(patience)) {
      // A consumer group may see a message twice; the id of a CloudEvent says that it is the same.
      if (header(record, "ce_type").equals(LARGE_DEPOSIT) && seen.add(header(record, "ce_id"))) {
        deposits.add(json.read(Payload.of(record.value()), LargeDeposit.class));
      }
    }
    if (!deposits.isEmpty()) {
      consumer.commitSync();
    }
    return deposits;
  }

  private static String header(ConsumerRecord<?, ?> record, String name) {
    Header header = record.headers().lastHeader(name);
    return header == null ? "" : new String(header.value(), UTF_8);
  }

  @Override
  public void close() {
    consumer.close();
  }
}
