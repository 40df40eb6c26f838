package dev.sluice.core.event;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Makes the ids of events and messages. Safe for use by any number of threads.
 *
 * <p>Both forms are those of RFC 9562: version 7, which begins with the time and so keeps the
 * store's index on ids compact, and version 5, which is derived from a name and so comes out the
 * same each time. An id names an event, it protects nothing: others can guess it.
 */
public final class EventIds {

  /** Time as version 7 has it: milliseconds since 1970, and twelve bits of their fraction. */
  private static final int FRACTION_BITS = 12;

  private static final AtomicLong LAST_TIME = new AtomicLong();

  /** SplitMix64 (Steele, Lea, Flood 2014): no lock, where a secure source has one for all. */
  private static final long GAMMA = 0x9e37_79b9_7f4a_7c15L;

  private static final AtomicLong RANDOM = new AtomicLong(new SecureRandom().nextLong());

  private EventIds() {}

  /**
   * A new id, of version 7. It is greater than all that this process made before, also when its
   * clock was set back, so that an index grows at its end only.
   */
  public static UUID next() {
    long micros = ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now());
    long fraction = ((micros % 1_000) << FRACTION_BITS) / 1_000;
    long time =
        LAST_TIME.accumulateAndGet(
            ((micros / 1_000) << FRACTION_BITS) | fraction,
            (last, given) -> Math.max(last + 1, given));
    long high = ((time >>> FRACTION_BITS) << 16) | 0x7000L | (time & 0xfff);
    long low = (mixed(RANDOM.getAndAdd(GAMMA)) >>> 2) | 0x8000_0000_0000_0000L;
    return new UUID(high, low);
  }

  private static long mixed(long value) {
    long mixed = (value ^ (value >>> 30)) * 0xbf58_476d_1ce4_e5b9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94d0_49bb_1331_11ebL;
    return mixed ^ (mixed >>> 31);
  }

  /** The id, of version 5, that a name has within a namespace: always the same one. */
  public static UUID derived(UUID namespace, String name) {
    byte[] hash = sha1(namespace, name);
    hash[6] = (byte) ((hash[6] & 0x0f) | 0x50);
    hash[8] = (byte) ((hash[8] & 0x3f) | 0x80);
    return new UUID(toLong(hash, 0), toLong(hash, 8));
  }

  private static byte[] sha1(UUID namespace, String name) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-1");
      digest.update(toBytes(namespace.getMostSignificantBits()));
      digest.update(toBytes(namespace.getLeastSignificantBits()));
      return digest.digest(name.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-1", e);
    }
  }

  private static byte[] toBytes(long value) {
    byte[] bytes = new byte[Long.BYTES];
    for (int i = 0; i < Long.BYTES; i++) {
      bytes[i] = (byte) (value >>> (8 * (Long.BYTES - 1 - i)));
    }
    return bytes;
  }

  private static long toLong(byte[] bytes, int offset) {
    long value = 0;
    for (int i = 0; i < Long.BYTES; i++) {
      value = (value << 8) | (bytes[offset + i] & 0xff);
    }
    return value;
  }
}
