package dev.sluice.core.coordination;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import java.util.Optional;

/**
 * How far a reader has come, with a little state of its own, saved together.
 *
 * @param name whose it is, 1 to {@value #MAX_NAME_LENGTH} chars
 * @param position the last position that has been dealt with
 * @param state what the reader needs beside the position; opaque to the store, and small
 * @param token the fencing token of the owner who writes it, or 0 where there are no owners
 * @param revision how many times it was saved; 1 is the first
 */
public record Checkpoint(String name, Position position, Payload state, long token, long revision) {

  /** The greatest length of a name, in chars. */
  public static final int MAX_NAME_LENGTH = 200;

  /** Refuses what can't be saved. */
  public Checkpoint {
    if (name.isEmpty() || name.length() > MAX_NAME_LENGTH) {
      throw new IllegalArgumentException(
          "a checkpoint's name has 1 to " + MAX_NAME_LENGTH + " chars, not " + name.length());
    }
    if (token < 0 || revision < 1) {
      throw new IllegalArgumentException(
          "a checkpoint's token is 0 or greater and its revision 1 or greater, not "
              + token
              + " and "
              + revision);
    }
  }

  /** The first one under a name. */
  public static Checkpoint first(String name, Position position, Payload state, long token) {
    return new Checkpoint(name, position, state, token, 1);
  }

  /**
   * Checks that this may be saved, for adapters that can't leave that to their store.
   *
   * @param stored what is stored under this name, if anything is
   * @throws CheckpointConflictException if this does not follow it directly: its revision is not
   *     one greater, its token is lower, or its position lies before
   */
  public void checkFollows(Optional<Checkpoint> stored) {
    boolean follows =
        stored
            .map(
                before ->
                    revision == before.revision + 1
                        && token >= before.token
                        && !before.position.isAfter(position))
            .orElse(revision == 1);
    if (!follows) {
      throw new CheckpointConflictException(this, stored);
    }
  }

  /** The one that follows this. */
  public Checkpoint next(Position position, Payload state, long token) {
    return new Checkpoint(name, position, state, token, revision + 1);
  }
}
