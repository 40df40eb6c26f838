package dev.sluice.publisher;

/** Which lane a key belongs to. */
final class Lanes {
  private Lanes() {}

  /**
   * The lane of a key. Never change this: a running relay's keys would change lanes unnoticed. It
   * differs from what Kafka does with keys, so that a lane's keys spread over all partitions.
   */
  static int of(String key, int lanes) {
    // String.hashCode is fixed by its specification; the rest mixes its weak low bits.
    int hash = key.hashCode() * 0x9E3779B9;
    hash ^= hash >>> 16;
    return Math.floorMod(hash, lanes);
  }
}
