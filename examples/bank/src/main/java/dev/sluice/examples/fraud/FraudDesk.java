package dev.sluice.examples.fraud;

import dev.sluice.core.Payload;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.publisher.consumer.InboundMessage;
import dev.sluice.publisher.consumer.Inbox;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Opens a case for each large deposit that the bank's topic reports: one, however often the report
 * arrives. For one thread.
 */
public final class FraudDesk implements AutoCloseable {

  private static final String LARGE_DEPOSIT = "bank.large-deposit-made";

  private final Serializer json = JacksonSerializer.create();
  private final Inbox inbox = new Inbox("inbox");
  private final Connection database;
  private final KafkaConsumer<byte[], byte[]> consumer;

  /**
   * Joins the consumer group {@code fraud}.
   *
   * @param databaseUrl the JDBC URL of this context's own database
   */
  public FraudDesk(String bootstrapServers, String topic, String databaseUrl) {
    try {
      database = DriverManager.getConnection(databaseUrl);
      database.setAutoCommit(false);
      inbox.create(database);
      try (Statement create = database.createStatement()) {
        create.execute(
            "CREATE TABLE IF NOT EXISTS fraud_case"
                + " (account TEXT NOT NULL, amount_cents BIGINT NOT NULL, currency TEXT NOT NULL)");
      }
      database.commit();
    } catch (SQLException e) {
      throw unusable(e);
    }
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
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer());
    consumer.subscribe(List.of(topic));
  }

  /** What this context makes of the bank's message; more than this it doesn't read. */
  public record LargeDeposit(String account, long amountCents, String currency) {}

  /** The cases that were opened just now; waits a while for a first one. */
  public List<LargeDeposit> receive(Duration patience) {
    List<LargeDeposit> opened = new ArrayList<>();
    ConsumerRecords<byte[], byte[]> records = consumer.poll(patience);
    for (ConsumerRecord<byte[], byte[]> record : records) {
      InboundMessage message = InboundMessage.from(record);
      if (message.type().equals(LARGE_DEPOSIT)) {
        LargeDeposit deposit = json.read(Payload.ofUtf8(message.data()), LargeDeposit.class);
        if (openCase(message, deposit)) {
          opened.add(deposit);
        }
      }
    }
    if (!records.isEmpty()) {
      // Last: who dies before gets the messages again, and the inbox knows them.
      consumer.commitSync();
    }
    return opened;
  }

  /** In one transaction with the note that the message was dealt with. */
  private boolean openCase(InboundMessage message, LargeDeposit deposit) {
    try {
      boolean isNew = inbox.isNew(database, message);
      if (isNew) {
        try (PreparedStatement insert =
            database.prepareStatement("INSERT INTO fraud_case VALUES (?, ?, ?)")) {
          insert.setString(1, deposit.account());
          insert.setLong(2, deposit.amountCents());
          insert.setString(3, deposit.currency());
          insert.executeUpdate();
        }
      }
      database.commit();
      return isNew;
    } catch (SQLException e) {
      throw unusable(e);
    }
  }

  private static IllegalStateException unusable(SQLException e) {
    return new IllegalStateException("The fraud department's database can't be used", e);
  }

  @Override
  public void close() {
    consumer.close();
    try {
      database.close();
    } catch (SQLException e) {
      throw unusable(e);
    }
  }
}
