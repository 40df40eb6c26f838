package dev.sluice.core.outbox.planted;

/** Planted: breaks OUTBOX_AND_COORDINATION_KNOW_NO_EVENT_STORE. */
final class KnowsDomainEvents {
  Class<?> used = dev.sluice.core.event.DomainEvent.class;
}
