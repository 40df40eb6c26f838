package dev.sluice.core.store;

/**
 * Which events of a stream to read, and in which direction.
 *
 * @param from the first version to return, 1 or greater; backwards, versions above it are left out
 * @param limit the greatest number of events to return, 1 to {@value #MAX_LIMIT}
 * @param backwards whether to read from {@code from} down to 1
 */
public record StreamRange(long from, int limit, boolean backwards) {

  /** The greatest number of events that one read returns. */
  public static final int MAX_LIMIT = 10_000;

  /** Refuses ranges that make no sense. */
  public StreamRange {
    if (from < 1) {
      throw new IllegalArgumentException("versions are read from 1 or greater, not " + from);
    }
    if (limit < 1 || limit > MAX_LIMIT) {
      throw new IllegalArgumentException(
          "a read returns 1 to " + MAX_LIMIT + " events, not " + limit + "; read in pages");
    }
  }

  /** Versions {@code from}, {@code from + 1}, … */
  public static StreamRange forwards(long from, int limit) {
    return new StreamRange(from, limit, false);
  }

  /** Versions {@code from}, {@code from - 1}, … 1. */
  public static StreamRange backwards(long from, int limit) {
    return new StreamRange(from, limit, true);
  }

  /** The last {@code limit} versions, the last one first. */
  public static StreamRange last(int limit) {
    return new StreamRange(Long.MAX_VALUE, limit, true);
  }
}
