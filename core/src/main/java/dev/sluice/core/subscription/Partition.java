package dev.sluice.core.subscription;

import dev.sluice.core.event.StreamId;

/**
 * One of the parts into which a subscription is split. A stream belongs to one partition as a
 * whole, so that its order is kept.
 *
 * @param index which one, from 0
 * @param count how many there are
 */
public record Partition(int index, int count) {

  /** Refuses what makes no sense. */
  public Partition {
    if (count < 1 || index < 0 || index >= count) {
      throw new IllegalArgumentException("no partition " + index + " of " + count);
    }
  }

  /** Whether a stream belongs to it. The same in every process and every version. */
  public boolean contains(StreamId stream) {
    if (count == 1) {
      return true;
    }
    // String.hashCode is fixed by its specification; the multiplication spreads ids that differ in
    // their last digits only.
    int hash = (31 * stream.category().hashCode() + stream.id().hashCode()) * 0x9E3779B9;
    return Math.floorMod(hash >>> 8, count) == index;
  }
}
