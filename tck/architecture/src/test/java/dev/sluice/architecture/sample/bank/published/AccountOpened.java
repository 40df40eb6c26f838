package dev.sluice.architecture.sample.bank.published;

import dev.sluice.core.outbox.IntegrationEvent;

/** Well made. */
public record AccountOpened() implements IntegrationEvent {}
