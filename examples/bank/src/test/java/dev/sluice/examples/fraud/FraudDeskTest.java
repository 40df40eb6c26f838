package dev.sluice.examples.fraud;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.examples.fraud.FraudDesk.LargeDeposit;
import dev.sluice.testservers.KafkaServer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class FraudDeskTest {
  private static final LargeDeposit FIRST = new LargeDeposit("a-1", 1_000_000, "CHF");
  private static final LargeDeposit SECOND = new LargeDeposit("a-2", 2_000_000, "CHF");

  private final String bootstrap = KafkaServer.shared().bootstrap();
  private final String topic = "f" + UUID.randomUUID().toString().substring(0, 8);

  @TempDir Path directory;

  private void send(String id, LargeDeposit deposit) throws Exception {
    try (var producer =
        new KafkaProducer<>(
            Map.<String, Object>of("bootstrap.servers", bootstrap),
            new ByteArraySerializer(),
            new ByteArraySerializer())) {
      String data =
          "{\"account\":\"%s\",\"amountCents\":%d,\"currency\":\"%s\"}"
              .formatted(deposit.account(), deposit.amountCents(), deposit.currency());
      ProducerRecord<byte[], byte[]> record =
          new ProducerRecord<>(topic, deposit.account().getBytes(UTF_8), data.getBytes(UTF_8));
      Map.of(
              "ce_specversion", "1.0",
              "ce_id", id,
              "ce_source", "urn:example:bank",
              "ce_type", "bank.large-deposit-made")
          .forEach((name, value) -> record.headers().add(name, value.getBytes(UTF_8)));
      producer.send(record).get();
    }
  }

  private List<LargeDeposit> receiveUntil(LargeDeposit last) {
    List<LargeDeposit> received = new ArrayList<>();
    try (FraudDesk desk =
        new FraudDesk(bootstrap, topic, "jdbc:sqlite:" + directory.resolve("fraud.db"))) {
      while (!received.contains(last)) {
        received.addAll(desk.receive(Duration.ofMillis(200)));
      }
    }
    return received;
  }

  @Test
  void a_message_that_comes_again_after_a_restart_opens_no_second_case() throws Exception {
    send("1", FIRST);
    assertThat(receiveUntil(FIRST)).containsExactly(FIRST);
    send("1", FIRST);
    send("2", SECOND);
    assertThat(receiveUntil(SECOND)).containsExactly(SECOND);
  }
}
