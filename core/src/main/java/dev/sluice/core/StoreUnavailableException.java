package dev.sluice.core;

/**
 * The store could not be reached, or the answer got lost on the way.
 *
 * <p>After a read nothing has happened. After a write the outcome is <b>unknown</b>: repeat it. An
 * append that is repeated with the same event ids stores nothing twice.
 */
public class StoreUnavailableException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** With a message that names the store and the next step, and what caused it. */
  public StoreUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
