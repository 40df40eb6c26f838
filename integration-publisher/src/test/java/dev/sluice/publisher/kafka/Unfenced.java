package dev.sluice.publisher.kafka;

import java.util.UUID;

/** Takes the fencing out, to show that a test would notice. */
public final class Unfenced {
  private Unfenced() {}

  public static KafkaMessagePublisher.Builder of(KafkaMessagePublisher.Builder builder) {
    builder.unfenced = "-" + UUID.randomUUID();
    return builder;
  }
}
