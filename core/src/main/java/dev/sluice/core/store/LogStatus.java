package dev.sluice.core.store;

import dev.sluice.core.Position;
import java.time.Instant;
import java.util.Optional;

/**
 * Up to where a log can be read.
 *
 * @param head the position of the last event that can be read; {@link Position#START} if there is
 *     none
 * @param heldBackBy the oldest append that is still open, if there is one
 */
public record LogStatus(Position head, Optional<OpenAppend> heldBackBy) {

  /**
   * An append that is not finished and hides what was appended after it began.
   *
   * @param who what the store knows of its owner, for people
   * @param since when it began, by the store's clock
   */
  public record OpenAppend(String who, Instant since) {}
}
