package dev.sluice.core;

/** The root of all exceptions that Sluice throws on purpose, other than for wrong arguments. */
public abstract class SluiceException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** With a message that names the thing and the next step. */
  protected SluiceException(String message) {
    super(message);
  }

  /** With a message and what caused it. */
  protected SluiceException(String message, Throwable cause) {
    super(message, cause);
  }
}
