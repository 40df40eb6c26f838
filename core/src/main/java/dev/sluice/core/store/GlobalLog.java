package dev.sluice.core.store;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;

/**
 * All events of a store in one total order, which contains the order of each stream; the events of
 * one append stand together.
 *
 * <p><b>No late arrivals.</b> Once a reader has been given position p, nothing new ever appears at
 * or below p. An append that is still open hides at most what was appended after it began; one that
 * failed, and any transaction that appends nothing, hides nothing. No time-out is involved.
 *
 * <p><b>No way back.</b> Within a process, what a read without more has dealt with ({@link
 * LogPage#next}) is never less than what any read that had returned before it began has given. In
 * another process the log may end earlier for a moment: whoever goes on where that one was gets
 * nothing until it ends there, too.
 *
 * <p><b>Threads.</b> Safe for use by any number of threads and processes. Every call blocks.
 */
public interface GlobalLog {

  /** The greatest number of events that one read returns. */
  int MAX_LIMIT = 10_000;

  /**
   * Reads the events behind a position that a filter lets through, in order.
   *
   * @param after the position that was dealt with last; {@link Position#START} for the beginning
   * @param filter applied in the store
   * @param limit the greatest number of events to return, 1 to {@value #MAX_LIMIT}
   * @throws dev.sluice.core.StoreUnavailableException if the store can't be reached
   */
  LogPage read(Position after, EventFilter filter, int limit);

  /**
   * Up to where the log can be read now, and who holds back what lies behind, if anything does.
   *
   * @throws dev.sluice.core.StoreUnavailableException if the store can't be reached
   */
  LogStatus status();

  /**
   * How many readable events behind a position a filter lets through. For displays: it reads an
   * index from {@code after} on.
   *
   * @throws dev.sluice.core.StoreUnavailableException if the store can't be reached
   */
  long count(Position after, EventFilter filter);

  /**
   * Calls a hint after something was appended, in this process and, where the store can, in others.
   * Hints may come together, too often, or not at all: reading again from time to time stays the
   * truth. The hint runs on a thread of the store and must return at once.
   */
  Registration onAppend(Runnable hint);

  /**
   * Refuses a limit that is out of bounds, for adapters.
   *
   * @return the limit
   */
  static int checkedLimit(int limit) {
    if (limit < 1 || limit > MAX_LIMIT) {
      throw new IllegalArgumentException(
          "a read returns 1 to " + MAX_LIMIT + " events, not " + limit + "; read in pages");
    }
    return limit;
  }
}
