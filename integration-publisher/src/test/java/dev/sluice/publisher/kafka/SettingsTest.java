package dev.sluice.publisher.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.publisher.KafkaFixture;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.config.provider.FileConfigProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of settings of the Kafka clients. */
class SettingsTest extends KafkaFixture {

  /** A plugin of producers, with a setting of its own: whom to tell what it was given. */
  public static final class Plugin implements ProducerInterceptor<byte[], byte[]> {
    static final String TELL = "plugin.tell";

    @Override
    @SuppressWarnings("unchecked")
    public void configure(Map<String, ?> configs) {
      Map<String, Object> told = (Map<String, Object>) configs.get(TELL);
      Objects.requireNonNull(told, TELL).putAll(configs);
    }

    @Override
    public ProducerRecord<byte[], byte[]> onSend(ProducerRecord<byte[], byte[]> record) {
      return record;
    }

    @Override
    public void onAcknowledgement(RecordMetadata metadata, Exception exception) {}

    @Override
    public void close() {}
  }

  @Test
  void aPluginOfProducersWorks_andGetsItsOwnSettings() {
    Map<String, Object> told = new HashMap<>();
    try (KafkaMessagePublisher plugged =
        publisher()
            .client("interceptor.classes", Plugin.class.getName())
            .client(Plugin.TELL, told)
            .client("plugin.endpoint", "http://localhost")
            .build()) {
      plugged.verify();
      plugged.open(name, 0).close();
    }
    assertThat(told).containsEntry("plugin.endpoint", "http://localhost");
  }

  @Test
  void aSettingMayComeFromAProvider(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("kafka.properties");
    Files.writeString(file, "size=2000000\n");
    try (KafkaMessagePublisher provided =
        publisher()
            .client("config.providers", "file")
            .client("config.providers.file.class", FileConfigProvider.class.getName())
            .client("max.request.size", "${file:" + file + ":size}")
            .build()) {
      provided.verify();
      assertThat(provided.maxRequestSize()).isEqualTo(2_000_000);
    }
  }

  @Test
  void whatAProducerDoesNotTakeIsRefusedBeforeAnythingIsSent() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> publisher().client("max.in.flight.requests.per.connection", 10).build().close())
        .withMessageContaining("max.in.flight.requests.per.connection");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> publisher().client("max.request.size", "1 MB").build().close())
        .withMessageContaining("max.request.size");
    // This one is noticed by the producer itself.
    try (KafkaMessagePublisher late = publisher().client("delivery.timeout.ms", 1).build()) {
      assertThatThrownBy(late::verify)
          .isInstanceOf(BrokerUnavailableException.class)
          .hasMessageContaining("delivery.timeout.ms");
    }
  }

  @Test
  void settingsThatTheGuaranteesRestOnAreThePublishersOwn() {
    for (String setting :
        new String[] {"acks", "transactional.id", "isolation.level", "auto.offset.reset"}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> publisher().client(setting, "1"))
          .withMessageContaining(setting);
    }
  }
}
