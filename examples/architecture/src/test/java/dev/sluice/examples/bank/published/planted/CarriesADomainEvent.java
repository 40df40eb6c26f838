package dev.sluice.examples.bank.published.planted;

import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.examples.bank.account.AccountEvent;

/** Planted: breaks INTEGRATION_EVENTS_ARE_NOT_DOMAIN_EVENTS. */
record CarriesADomainEvent(AccountEvent.Opened opened) implements IntegrationEvent {}
