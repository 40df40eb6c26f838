package dev.sluice.core.outbox;

import dev.sluice.core.SluiceException;

/** A lane has a newer owner. Nothing of the batch was published; stop publishing. */
public class LaneFencedException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** Which lane, and what the broker said. */
  public LaneFencedException(String message, Throwable cause) {
    super(message, cause);
  }
}
