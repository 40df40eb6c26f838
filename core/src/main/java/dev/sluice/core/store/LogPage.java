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

  /**
   * A page of what was found up to the head, for adapters that ask for one event more than the
   * limit to learn whether there are more.
   *
   * @param after the position that was read after
   * @param head up to where all was looked at
   * @param found the events that the filter lets through, at most {@code limit + 1}
   */
  public static LogPage of(Position after, Position head, List<RecordedEvent> found, int limit) {
    if (found.size() <= limit) {
      return new LogPage(found, Position.max(after, head), false);
    }
    List<RecordedEvent> page = found.subList(0, limit);
    return new LogPage(page, page.getLast().position(), true);
  }

  /** Copies the list. */
  public LogPage {
    events = List.copyOf(events);
    if (!events.isEmpty() && events.getLast().position().isAfter(next)) {
      throw new IllegalArgumentException(
          "a page that ends at " + events.getLast().position() + " can't be read on after " + next);
    }
  }
}
