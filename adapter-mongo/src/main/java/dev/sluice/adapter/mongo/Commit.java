package dev.sluice.adapter.mongo;

import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.StoredEvent;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One document of the commits collection, as far as the query asked for it.
 *
 * @param number its place among all commits, from 1
 * @param version the version of its first event
 * @param stream whose events these are; none in a filler, or where it was not asked for
 * @param count how many events it was stored with; 0 for a filler
 * @param events the events
 * @param messages the integration messages that are not pruned
 */
record Commit(
    long number,
    long version,
    @Nullable StreamId stream,
    int count,
    List<RecordedEvent> events,
    List<OutboxMessage> messages) {

  List<StoredEvent> stored() {
    return events.stream()
        .map(
            event -> new StoredEvent(event.id(), event.stream(), event.version(), event.position()))
        .toList();
  }
}
