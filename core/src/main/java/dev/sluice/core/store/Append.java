package dev.sluice.core.store;

import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/**
 * One append, checked: events that go together to the end of one stream.
 *
 * @param stream where they go
 * @param expected what the stream must be like
 * @param events 1 to {@value #MAX_EVENTS} events with different ids, and together at most {@value
 *     #MAX_EVENTS} integration messages
 */
public record Append(StreamId stream, ExpectedVersion expected, List<NewEvent> events) {

  /** The greatest number of events, and also of messages, in one append. */
  public static final int MAX_EVENTS = 65_535;

  /** Checks what can be checked without the store. */
  public Append {
    events = List.copyOf(events);
    if (events.isEmpty()) {
      throw new IllegalArgumentException(
          "an append to " + stream + " without events; append at least one");
    }
    long messages = 0;
    Set<UUID> ids = new HashSet<>();
    for (NewEvent event : events) {
      if (!ids.add(event.id())) {
        throw new DuplicateEventException(stream, event.id());
      }
      messages += event.messages().size();
    }
    refuseMoreThanMax(stream, "events", events.size());
    refuseMoreThanMax(stream, "integration messages", messages);
  }

  private static void refuseMoreThanMax(StreamId stream, String what, long count) {
    if (count > MAX_EVENTS) {
      throw new IllegalArgumentException(
          "an append to "
              + stream
              + " with "
              + count
              + " "
              + what
              + "; at most "
              + MAX_EVENTS
              + " go into one, split it");
    }
  }

  /** The ids of the events, in order. */
  public List<UUID> ids() {
    return events.stream().map(NewEvent::id).toList();
  }

  /**
   * Tells a repeated append from a wrong one, for adapters: call it with what the store already
   * holds under these ids, when the append can't be stored as it is. It is a repetition if all of
   * its events stand in its stream, one behind the other and in its order. Which appends they came
   * in is not asked, so that no store has to keep it.
   *
   * @param stored the stored events that have one of {@link #ids()}, in any order
   * @return what the first try returned, if this append is stored already; empty if no id is stored
   * @throws DuplicateEventException if ids are stored, but not as this append would have stored
   *     them
   */
  public Optional<AppendResult> repeatOf(List<StoredEvent> stored) {
    if (stored.isEmpty()) {
      return Optional.empty();
    }
    List<StoredEvent> inOrder =
        stored.stream().sorted((a, b) -> Long.compare(a.version(), b.version())).toList();
    StoredEvent first = inOrder.getFirst();
    boolean same = inOrder.size() == events.size();
    for (int i = 0; same && i < inOrder.size(); i++) {
      StoredEvent event = inOrder.get(i);
      same =
          event.id().equals(events.get(i).id())
              && event.stream().equals(stream)
              && event.version() == first.version() + i;
    }
    if (!same) {
      throw new DuplicateEventException(stream, first.id(), first.stream(), first.version());
    }
    StoredEvent last = inOrder.getLast();
    return Optional.of(new AppendResult(first.version(), last.version(), last.position()));
  }

  /**
   * The exception for a stream that is not as expected, for adapters.
   *
   * @param actual how many events the stream holds
   */
  public VersionConflictException conflict(long actual) {
    return expected instanceof ExpectedVersion.NoStream
        ? new StreamAlreadyExistsException(stream, actual)
        : new VersionConflictException(stream, expected, actual);
  }
}
