package dev.sluice.examples.benchmarks;

import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The events that benchmarks store: about 200 bytes of JSON, and 40 of metadata. */
final class Samples {

  static final String TYPE = "money-deposited";

  static final EventCodec CODEC =
      EventCodec.of(EventTypes.<DomainEvent>of(MoneyDeposited.class), JacksonSerializer.create());

  static final Payload DATA =
      CODEC.encode(
          new MoneyDeposited(
              "5f0c1d8e-6a7b-4c3d-9e2f-1a2b3c4d5e6f",
              12_345,
              "CHF",
              "salary for november, paid by the employer as every month",
              "CH93 0076 2011 6238 5295 7"));

  static final Payload METADATA = Payload.ofUtf8("{\"correlationId\":\"0123456789abcdef012\"}");

  private Samples() {}

  static List<NewEvent> events(int count, boolean withMessage) {
    List<NewEvent> events = new ArrayList<>(count);
    Instant now = Instant.now();
    for (int i = 0; i < count; i++) {
      events.add(
          new NewEvent(
              EventIds.next(), TYPE, now, DATA, METADATA, withMessage ? message(now) : List.of()));
    }
    return events;
  }

  private static List<IntegrationMessage> message(Instant now) {
    return List.of(
        new IntegrationMessage(
            EventIds.next(),
            "large-deposit",
            "account-1",
            "account-1",
            now,
            DATA,
            Optional.of("0123456789abcdef012"),
            Optional.empty()));
  }

  @EventType(TYPE)
  record MoneyDeposited(String account, long cents, String currency, String text, String payer)
      implements DomainEvent {}
}
