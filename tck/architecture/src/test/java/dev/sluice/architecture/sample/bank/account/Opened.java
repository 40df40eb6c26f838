package dev.sluice.architecture.sample.bank.account;

import dev.sluice.core.event.DomainEvent;

/** Private to the bank. */
public record Opened() implements DomainEvent {}
