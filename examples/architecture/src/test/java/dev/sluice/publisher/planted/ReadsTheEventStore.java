package dev.sluice.publisher.planted;

/** Planted: breaks PUBLISHER_KNOWS_ONLY_WHAT_MAY_LEAVE. */
final class ReadsTheEventStore {
  Class<?> used = dev.sluice.core.store.EventStore.class;
}
