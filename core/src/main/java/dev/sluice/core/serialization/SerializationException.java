package dev.sluice.core.serialization;

import dev.sluice.core.SluiceException;

/**
 * An object can't be turned into bytes, or bytes not into an object. The message names the class
 * and what stood in the way, without the data, which is private.
 */
public class SerializationException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** With a message that names the class and the next step, and what caused it. */
  public SerializationException(String message, Throwable cause) {
    super(message, cause);
  }
}
