package dev.sluice.core.store;

import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import java.util.List;

/**
 * A page of the global log.
 *
 * @param events the events that the filter let through, in order
 * @param next read on after this position, once these events are dealt with. It is the position of
 *     an event that can be read, maybe of one that the filter left out; or the position that was
 *     read after, where there was nothing behind it.
 * @param more whether more could be read at once
 */
public record LogPage(List<RecordedEvent> events, Position next, boolean more) {

  /** Copies the list. */
  public LogPage {
    events = List.copyOf(events);
    if (!events.isEmpty() && events.getLast().position().isAfter(next)) {
      throw new IllegalArgumentException(
          "a page that ends at " + events.getLast().position() + " can't be read on after " + next);
    }
  }
}
