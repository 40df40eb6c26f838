package dev.sluice.core.outbox;

import dev.sluice.core.SluiceException;

/**
 * A lane has a newer owner, or the broker no longer knows this one: stop publishing. Nothing of the
 * batch is published from now on; a batch whose commit the broker had accepted before, and whose
 * answer was lost, was published. The progress of the lane tells when it is opened anew.
 */
public class LaneFencedException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** Which lane, and what the broker said. */
  public LaneFencedException(String message, Throwable cause) {
    super(message, cause);
  }
}
