package dev.sluice.core.event;

import dev.sluice.core.Payload;
import dev.sluice.core.outbox.IntegrationMessage;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.UUID;

/**
 * An event that is ready to be appended: serialised, and with the integration messages that were
 * made from it, which are stored in the same commit.
 *
 * @param id unique in the whole store; an append that is repeated with the same ids stores nothing
 *     twice
 * @param type the registered name of the event's class
 * @param time when it happened, by the clock of whoever decided it; cut to microseconds. It orders
 *     nothing.
 * @param data the serialised event
 * @param metadata the serialised metadata
 * @param messages the integration messages made from this event, in their order
 */
public record NewEvent(
    UUID id,
    String type,
    Instant time,
    Payload data,
    Payload metadata,
    List<IntegrationMessage> messages) {

  /** Cuts the time to what every store can hold, and copies the list. */
  public NewEvent {
    if (type.isEmpty()) {
      throw new IllegalArgumentException("the type of event " + id + " is empty");
    }
    time = time.truncatedTo(ChronoUnit.MICROS);
    messages = List.copyOf(messages);
  }
}
