package dev.sluice.core.coordination;

import java.time.Instant;

/**
 * The right to do something alone, until it expires.
 *
 * @param name what it is the right to do, 1 to {@value Checkpoint#MAX_NAME_LENGTH} chars
 * @param owner who has it, for people
 * @param token greater than that of every earlier lease of the same name: the fencing token, to be
 *     handed to whatever the owner writes to
 * @param expiresAt when it ends unless it is renewed, by the store's clock
 */
public record Lease(String name, String owner, long token, Instant expiresAt) {

  /** Refuses what can't be stored. */
  public Lease {
    if (name.isEmpty() || name.length() > Checkpoint.MAX_NAME_LENGTH) {
      throw new IllegalArgumentException(
          "a lease's name has 1 to " + Checkpoint.MAX_NAME_LENGTH + " chars, not " + name.length());
    }
    if (token < 1) {
      throw new IllegalArgumentException("a lease's token is 1 or greater, not " + token);
    }
  }
}
