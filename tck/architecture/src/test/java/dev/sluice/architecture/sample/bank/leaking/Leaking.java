package dev.sluice.architecture.sample.bank.leaking;

import dev.sluice.architecture.sample.bank.account.Money;
import dev.sluice.core.outbox.IntegrationEvent;

/** Carries a type of the domain. */
public record Leaking(Money money) implements IntegrationEvent {}
