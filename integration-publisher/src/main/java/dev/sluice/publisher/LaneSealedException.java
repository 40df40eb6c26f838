package dev.sluice.publisher;

import dev.sluice.core.SluiceException;

/** The lane is not published as it is now: the number of lanes was changed, or is being changed. */
final class LaneSealedException extends SluiceException {

  private static final long serialVersionUID = 1L;

  private final boolean unfinished;

  /**
   * @param unfinished whether the lane waits for a change to be completed, which nobody may do
   */
  LaneSealedException(boolean unfinished, String message) {
    super(message);
    this.unfinished = unfinished;
  }

  boolean isUnfinished() {
    return unfinished;
  }
}
