package dev.sluice.core.store;

import dev.sluice.core.SluiceException;
import dev.sluice.core.event.StreamId;
import java.util.UUID;

/**
 * An event id is in the store already, and not as the repetition of the same append; or it is twice
 * in one append. Nothing was stored.
 */
public class DuplicateEventException extends SluiceException {

  private static final long serialVersionUID = 1L;

  private final UUID eventId;

  /** The id is twice in one append. */
  public DuplicateEventException(StreamId stream, UUID eventId) {
    super(
        "the event id "
            + eventId
            + " is twice in one append to "
            + stream
            + "; give each event an id of its own");
    this.eventId = eventId;
  }

  /** The id is stored elsewhere. */
  public DuplicateEventException(
      StreamId stream, UUID eventId, StreamId storedIn, long storedVersion) {
    super(
        "the event id "
            + eventId
            + " of an append to "
            + stream
            + " is stored in "
            + storedIn
            + " at version "
            + storedVersion
            + " already, and this append is no repetition of that one; give new events new ids");
    this.eventId = eventId;
  }

  /** The id that was there. */
  public UUID eventId() {
    return eventId;
  }
}
