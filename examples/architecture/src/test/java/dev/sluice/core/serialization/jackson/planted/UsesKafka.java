package dev.sluice.core.serialization.jackson.planted;

/** Planted: breaks JACKSON_HAS_ONE_ROOM. */
final class UsesKafka {
  Class<?> used = org.apache.kafka.clients.producer.KafkaProducer.class;
}
