package dev.sluice.core.store;

import dev.sluice.core.Position;

/**
 * What an append did.
 *
 * @param firstVersion the version of its first event
 * @param version the version of its last event, and so of the stream after it
 * @param position the position of its last event; wait for it on a projection to read your own
 *     writes
 */
public record AppendResult(long firstVersion, long version, Position position) {

  /** Refuses what no append can have done. */
  public AppendResult {
    if (firstVersion < 1 || version < firstVersion) {
      throw new IllegalArgumentException(
          "an append can't have stored versions " + firstVersion + " to " + version);
    }
  }
}
