package dev.sluice.core.outbox;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import java.util.List;

/**
 * The integration messages of a store, in the order of the domain events that they were made from:
 * a log, not a queue. Reading takes nothing away; relays keep their own positions. As in the global
 * log, nothing ever appears at or below a position that a reader has been given.
 *
 * <p>Messages get here only together with their domain events, in the same commit.
 *
 * <p><b>Threads.</b> Safe for use by any number of threads and processes. Every call blocks.
 */
public interface Outbox {

  /** The greatest number of messages that one read returns. */
  int MAX_LIMIT = 10_000;

  /**
   * What the names of all relays' checkpoints start with. A relay saves one there before it reads
   * for the first time, and {@link #prune} goes by these.
   */
  String RELAY_PREFIX = "relay/";

  /**
   * Reads the messages behind a position, in order. Fewer than the limit are returned only where
   * the readable part ends.
   *
   * @param limit the greatest number of messages to return, 1 to {@value #MAX_LIMIT}
   * @throws dev.sluice.core.StoreUnavailableException if the store can't be reached
   */
  List<OutboxMessage> read(Position after, int limit);

  /** The position of the last message that can be read, pruned or not; or the start. */
  Position head();

  /** How many readable messages lie behind a position. For displays. */
  long count(Position after);

  /**
   * Removes the oldest messages that every relay has passed: at or below the least position of all
   * checkpoints whose names start with {@link #RELAY_PREFIX}. Without any such checkpoint nothing
   * is removed.
   *
   * @param max the greatest number of messages to remove, at least 1; call again until the result
   *     is less
   * @return how many were removed
   */
  int prune(int max);

  /**
   * What the names of the checkpoints begin with that relays of this outbox keep. An outbox with
   * positions of its own has another prefix, so that they are not taken for those of the stored one
   * when that is pruned.
   */
  default String checkpointPrefix() {
    return RELAY_PREFIX;
  }

  /**
   * What it holds, where that isn't everything that is stored. A relay keeps this text with its
   * progress, and publishes nothing from an outbox that holds something else: positions of one say
   * nothing about the other.
   */
  default String contents() {
    return "";
  }

  /** Calls a hint after messages were stored, as the global log does for events. */
  Registration onAppend(Runnable hint);

  /**
   * Refuses a limit that is out of bounds, for adapters.
   *
   * @return the limit
   */
  static int checkedLimit(int limit) {
    if (limit < 1 || limit > MAX_LIMIT) {
      throw new IllegalArgumentException(
          "a read returns 1 to " + MAX_LIMIT + " messages, not " + limit + "; read in pages");
    }
    return limit;
  }
}
