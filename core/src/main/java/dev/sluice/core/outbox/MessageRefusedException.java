package dev.sluice.core.outbox;

import dev.sluice.core.SluiceException;

/** A message that the broker does not take. Nothing of its batch was published. */
public class MessageRefusedException extends SluiceException {

  private static final long serialVersionUID = 1L;

  private final transient OutboxMessage refused;

  /** Which message, why, and what to do. */
  public MessageRefusedException(OutboxMessage refused, String reason) {
    super(
        "integration message "
            + refused.message().id()
            + " of type '"
            + refused.message().type()
            + "' at "
            + refused.position()
            + " was refused: "
            + reason);
    this.refused = refused;
  }

  /** The message. */
  public OutboxMessage refused() {
    return refused;
  }
}
