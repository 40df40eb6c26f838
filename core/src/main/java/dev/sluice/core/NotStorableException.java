package dev.sluice.core;

/**
 * Something that the store cannot hold, such as an event over its size limit. Refused before
 * anything was written; repeating does not help.
 */
public class NotStorableException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** With a message that names the thing, its size or content, and the limit. */
  public NotStorableException(String message) {
    super(message);
  }
}
