package dev.sluice.adapter.planted;

/** Planted: breaks ADAPTERS_KNOW_OF_THE_PRODUCT_ONLY_THE_CORE. */
final class KnowsThePublisher {
  Class<?> used = dev.sluice.publisher.Relay.class;
}
