package dev.sluice.core.outbox;

import dev.sluice.core.SluiceException;

/**
 * The broker could not be reached, did not answer in time, or is not set up as it must be. Messages
 * stay in the outbox; a relay tries again.
 */
public class BrokerUnavailableException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** With a message that names what is wrong and the next step. */
  public BrokerUnavailableException(String message) {
    super(message);
  }

  /** With a message that names what is wrong and the next step, and what caused it. */
  public BrokerUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
