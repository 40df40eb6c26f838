package dev.sluice.adapter.mongo;

import dev.sluice.core.Position;

/**
 * A position is the number of a commit and an index in it, in one long: 48 and 16 bits. So the
 * events of one commit stand together, although others draw numbers at the same time.
 */
final class Positions {

  private static final int INDEX_BITS = 16;

  private Positions() {}

  static Position of(long number, int index) {
    return new Position(number << INDEX_BITS | index);
  }

  static int index(Position position) {
    return (int) (position.value() & 0xffff);
  }

  static long number(Position position) {
    return position.value() >>> INDEX_BITS;
  }
}
