package dev.sluice.examples.bank.published.planted;

import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.examples.bank.account.AccountEvent;

/**
 * Planted: breaks INTEGRATION_EVENTS_REFER_TO_NO_DOMAIN_TYPE and INTEGRATION_EVENTS_ARE_REGISTERED.
 */
record CarriesADomainEvent(AccountEvent.Opened opened) implements IntegrationEvent {}
