package dev.sluice.examples.fraud.planted;

/** Planted: breaks DOMAIN_EVENTS_STAY_INSIDE. */
final class ReadsADomainEvent {
  Class<?> used = dev.sluice.examples.bank.account.AccountEvent.class;
}
