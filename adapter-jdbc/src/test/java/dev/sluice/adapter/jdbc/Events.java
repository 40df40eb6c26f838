package dev.sluice.adapter.jdbc;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Makes events, and reads logs. */
final class Events {

  private Events() {}

  static NewEvent event(int messages) {
    return event("opened", messages);
  }

  static NewEvent event(String type, int messages) {
    List<IntegrationMessage> made = new ArrayList<>();
    for (int i = 0; i < messages; i++) {
      made.add(
          new IntegrationMessage(
              EventIds.next(),
              "account-opened",
              "42",
              "42",
              Instant.now(),
              Payload.ofUtf8("{}"),
              Optional.empty(),
              Optional.empty()));
    }
    return new NewEvent(
        EventIds.next(),
        type,
        Instant.now(),
        Payload.ofUtf8("{\"owner\":\"Ada\"}"),
        Payload.EMPTY,
        made);
  }

  static List<RecordedEvent> readAll(GlobalLog log) {
    List<RecordedEvent> events = new ArrayList<>();
    Position after = Position.START;
    LogPage page;
    do {
      page = log.read(after, EventFilter.ALL, 1_000);
      events.addAll(page.events());
      after = page.next();
    } while (page.more());
    return events;
  }
}
