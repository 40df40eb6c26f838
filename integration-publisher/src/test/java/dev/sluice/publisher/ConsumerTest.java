package dev.sluice.publisher;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.publisher.consumer.InboundMessage;
import dev.sluice.publisher.consumer.Inbox;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try")
class ConsumerTest extends KafkaFixture {
  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private final Inbox inbox = new Inbox("fraud_inbox");

  private Connection connect() throws SQLException {
    Connection connection =
        DriverManager.getConnection(database.url(), database.user(), database.password());
    connection.setAutoCommit(false);
    return connection;
  }

  private List<ConsumerRecord<byte[], byte[]>> receive(int count) {
    List<ConsumerRecord<byte[], byte[]>> received = new ArrayList<>();
    try (var consumer =
        new KafkaConsumer<>(
            Map.<String, Object>of(
                "bootstrap.servers", bootstrap,
                "group.id", "fraud",
                "auto.offset.reset", "earliest",
                "isolation.level", "read_committed"),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(name));
      await(
          "messages",
          () -> {
            consumer.poll(Duration.ofMillis(100)).forEach(received::add);
            return received.size() >= count ? received : null;
          });
    }
    return received;
  }

  @Test
  void aMessageThatArrivesTwiceTakesEffectOnce() throws SQLException {
    append("a", "{\"amount\":7}");
    SimpleMeterRegistry meters = new SimpleMeterRegistry();
    try (Relay relay = relay().meters(meters).start();
        Connection one = connect();
        Connection two = connect()) {
      InboundMessage message = InboundMessage.from(receive(1).get(0));
      assertThat(message.type()).isEqualTo(DEPOSIT);
      assertThat(message.subject()).contains("a");
      assertThat(message.correlationId()).contains("correlation-a");
      assertThat(message.causationId()).isEmpty();
      assertThat(message.data()).isEqualTo("{\"amount\":7}");
      assertThat(message.time()).isPresent();

      inbox.create(one);
      one.commit();
      assertThat(inbox.isNew(one, message)).isTrue();
      // The effect failed: it was as if the message had never come.
      one.rollback();
      assertThat(inbox.isNew(two, message)).isTrue();
      two.commit();
      assertThat(inbox.isNew(one, message)).isFalse();
      one.commit();
      assertThat(inbox.forget(one, Duration.ofDays(1))).isZero();
      assertThat(inbox.forget(one, Duration.ofSeconds(-5))).isEqualTo(1);
      one.commit();
      one.setAutoCommit(true);
      assertThatThrownBy(() -> inbox.isNew(one, message))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("auto-commit");

      assertThat(meters.get("sluice.relay.published").tag("lane", "0").counter().count())
          .isEqualTo(1);
      await(
          "backlog",
          () ->
              meters.get("sluice.relay.backlog").tag("relay", name).gauge().value() == 0
                  ? true
                  : null);
    }
  }

  @Test
  void aRecordThatIsNoCloudEventIsNamed() {
    assertThatThrownBy(
            () -> InboundMessage.from(new ConsumerRecord<>("t", 1, 5, new byte[0], new byte[0])))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("offset 5 of t-1")
        .hasMessageContaining("ce_specversion");
  }

  @Test
  void aRecordWhoseTimeIsNoTimeIsNamed() {
    ConsumerRecord<byte[], byte[]> record =
        new ConsumerRecord<>("t", 1, 5, new byte[0], new byte[0]);
    Map.of(
            "ce_specversion", "1.0",
            "ce_id", "1",
            "ce_source", "urn:else",
            "ce_type", "else",
            "ce_time", "2026-01-01 00:00:00")
        .forEach((name, value) -> record.headers().add(name, value.getBytes(UTF_8)));
    assertThatThrownBy(() -> InboundMessage.from(record))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("offset 5 of t-1")
        .hasMessageContaining("ce_time is 2026-01-01 00:00:00");
  }
}
