package dev.sluice.publisher;

import dev.sluice.core.SluiceException;

/**
 * What the broker knows of a lane and what the outbox holds don't fit together, as after a wiped
 * progress topic or an outbox that was restored from a backup. Going on would lose or repeat
 * messages, so the lane waits for a decision: {@link RelayControl#restart}; or, if the relay was
 * given another outbox than before, for that to be taken back.
 */
public class OutOfStepException extends SluiceException {

  private static final long serialVersionUID = 1L;

  OutOfStepException(String message) {
    super(message);
  }
}
