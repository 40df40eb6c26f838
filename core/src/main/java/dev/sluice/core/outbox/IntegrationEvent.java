package dev.sluice.core.outbox;

/**
 * Marks a fact that is published to other bounded contexts: a part of the published language, with
 * a contract of its own. Unrelated to domain events on purpose; refer to no domain type in one.
 */
public interface IntegrationEvent {}
