package dev.sluice.core;

/** An event's class or type name that no registry knows. Nothing has been written. */
public class UnregisteredTypeException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** With a message that names the class or the type name, and the next step. */
  public UnregisteredTypeException(String message) {
    super(message);
  }
}
