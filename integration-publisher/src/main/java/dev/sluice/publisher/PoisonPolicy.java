package dev.sluice.publisher;

/** What a lane does with a message that the broker refuses at every attempt. */
public enum PoisonPolicy {
  /** The lane stops at the message; nothing behind it is published until somebody decides. */
  STOP_LANE,

  /**
   * The message's key is parked: the message and all later ones with the same key wait in the
   * outbox, in order, while other keys go on. When too many keys are parked the lane stops.
   */
  PARK_KEY
}
