package dev.sluice.core;

/**
 * A place in an order: of all events of a store, or of all messages of its outbox.
 *
 * <p>Positions of one log strictly increase and are never used twice, but they are <b>not</b>
 * contiguous: never add to one, never count with them. What the number means is the adapter's
 * business. The text form, {@link #toString()} and {@link #parse}, carries a format version.
 *
 * @param value the adapter's number, 0 or greater
 */
public record Position(long value) implements Comparable<Position> {

  /** Before the first event. */
  public static final Position START = new Position(0);

  private static final String FORMAT = "p1-";

  /** Refuses negative values. */
  public Position {
    if (value < 0) {
      throw new IllegalArgumentException("a position is 0 or greater, not " + value);
    }
  }

  /**
   * Reads the text form.
   *
   * @throws IllegalArgumentException if the text is not a position of a format that this version
   *     knows
   */
  public static Position parse(String text) {
    if (text.startsWith(FORMAT)) {
      try {
        return new Position(Long.parseLong(text, FORMAT.length(), text.length(), 10));
      } catch (NumberFormatException e) {
        // falls through to the one message
      }
    }
    throw new IllegalArgumentException(
        "'" + text + "' is not a position; expected '" + FORMAT + "' and a number");
  }

  /** Whether this lies behind the other, so that a reader at {@code other} has not seen it. */
  public boolean isAfter(Position other) {
    return value > other.value;
  }

  /** The later one of two. */
  public static Position max(Position a, Position b) {
    return a.isAfter(b) ? a : b;
  }

  @Override
  public int compareTo(Position other) {
    return Long.compare(value, other.value);
  }

  @Override
  public String toString() {
    return FORMAT + value;
  }
}
