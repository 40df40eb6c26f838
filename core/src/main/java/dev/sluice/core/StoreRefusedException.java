package dev.sluice.core;

/**
 * The store can be reached, but cannot be worked with as it is: a schema of another version, a
 * missing right, a setting that would break a guarantee. Nothing has been written; repeating does
 * not help until somebody has done what the message says.
 */
public class StoreRefusedException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** With a message that names the thing and the next step. */
  public StoreRefusedException(String message) {
    super(message);
  }

  /** With a message that names the thing and the next step, and what caused it. */
  public StoreRefusedException(String message, Throwable cause) {
    super(message, cause);
  }
}
