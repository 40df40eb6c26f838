package dev.sluice.core.micrometer.planted;

/** Planted: breaks MICROMETER_HAS_ONE_ROOM. */
final class UsesKafka {
  Class<?> used = org.apache.kafka.clients.producer.KafkaProducer.class;
}
