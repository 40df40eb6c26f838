package dev.sluice.core.store;

import dev.sluice.core.SluiceException;
import dev.sluice.core.event.StreamId;

/**
 * The stream is not as the append expected: a "wrong expected version", also known as an optimistic
 * locking or concurrency failure. Nothing was stored. It is a technical conflict: read the stream
 * again, decide again, append again, as {@code CommandHandler} does by itself.
 */
public class VersionConflictException extends SluiceException {

  private static final long serialVersionUID = 1L;

  private final transient StreamId stream;
  private final transient ExpectedVersion expected;
  private final long actual;

  /** The stream holds {@code actual} events, which is not what was expected. */
  public VersionConflictException(StreamId stream, ExpectedVersion expected, long actual) {
    this(
        stream,
        expected,
        actual,
        stream
            + " is at version "
            + actual
            + ", expected was "
            + expected
            + "; read it again and decide again");
  }

  VersionConflictException(StreamId stream, ExpectedVersion expected, long actual, String message) {
    super(message);
    this.stream = stream;
    this.expected = expected;
    this.actual = actual;
  }

  /** The stream that was to be appended to. */
  public StreamId stream() {
    return stream;
  }

  /** What was expected of it. */
  public ExpectedVersion expected() {
    return expected;
  }

  /** How many events it held when the append was refused. */
  public long actual() {
    return actual;
  }
}
