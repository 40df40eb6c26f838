package dev.sluice.publisher;

import dev.sluice.core.Payload;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import dev.sluice.tck.PublisherFixture;
import dev.sluice.testservers.KafkaServer;
import io.cloudevents.CloudEvent;
import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;

/** A topic and a progress of one test's own on the shared broker, as the suite sees them. */
final class KafkaPublisherFixture implements PublisherFixture {

  private final String bootstrap = KafkaServer.shared().bootstrap();
  private final String topic = "k" + UUID.randomUUID().toString().substring(0, 8);

  @Override
  public String adapter() {
    return "sluice-integration-publisher";
  }

  @Override
  public String broker() {
    return "Kafka";
  }

  @Override
  public MessagePublisher open() {
    return KafkaMessagePublisher.builder(
            bootstrap,
            URI.create("urn:test:tck"),
            PublishedLanguage.builder().topic(topic, 3, TYPE).build())
        .progressTopicPrefix(topic + "-relay-")
        .build();
  }

  @Override
  public List<IntegrationMessage> consume(int atLeast) {
    return new Topic(bootstrap, topic)
        .read(atLeast).stream().map(KafkaPublisherFixture::message).toList();
  }

  private static IntegrationMessage message(ConsumerRecord<String, CloudEvent> consumed) {
    CloudEvent event = consumed.value();
    return new IntegrationMessage(
        UUID.fromString(event.getId()),
        event.getType(),
        consumed.key(),
        Objects.requireNonNull(event.getSubject(), "subject"),
        Objects.requireNonNull(event.getTime(), "time").toInstant(),
        data(consumed),
        text(event.getExtension("correlationid")),
        text(event.getExtension("causationid")));
  }

  /** The SDK says the same of a value without bytes and of none at all, which would delete. */
  private static Payload data(ConsumerRecord<String, CloudEvent> consumed) {
    return switch (consumed.serializedValueSize()) {
      case ConsumerRecord.NULL_SIZE -> throw new AssertionError("K3: a message is a tombstone");
      case 0 -> Payload.EMPTY;
      default -> Payload.ofUtf8(Topic.data(consumed.value()));
    };
  }

  private static Optional<String> text(@Nullable Object extension) {
    return Optional.ofNullable(extension).map(Object::toString);
  }

  @Override
  public Optional<IntegrationMessage> refusedMessage() {
    return Optional.of(
        new IntegrationMessage(
            EventIds.next(),
            TYPE,
            "k",
            "over the request size of 1 MiB",
            Instant.now(),
            Payload.of(new byte[2 * 1024 * 1024]),
            Optional.empty(),
            Optional.empty()));
  }

  @Override
  public void close() {}
}
