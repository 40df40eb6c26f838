package dev.sluice.core.outbox;

import dev.sluice.core.Position;

/**
 * A message in the outbox.
 *
 * @param position its place in the order of all messages of the outbox
 * @param message the message
 */
public record OutboxMessage(Position position, IntegrationMessage message) {}
