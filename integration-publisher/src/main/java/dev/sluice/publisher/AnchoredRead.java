package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.publisher.LaneState.Anchor;
import java.util.List;

/**
 * Reads on only from where the outbox is the one that was read before: behind a store that failed
 * over without its last commits, others stand in their places.
 */
final class AnchoredRead {
  private AnchoredRead() {}

  /**
   * The messages behind a position, in the same look as the one at the position.
   *
   * @param limit may be 0, where only the anchor is looked for
   * @throws OutOfStepException if the anchor is not at the position
   */
  static List<OutboxMessage> behind(
      RelaySettings settings, Position position, Anchor anchor, int limit) {
    List<OutboxMessage> found = settings.outbox().read(anchor.previous(), limit + 1);
    if (found.isEmpty()
        || !found.get(0).position().equals(position)
        || !found.get(0).message().id().equals(anchor.id())) {
      throw new OutOfStepException(
          "relay "
              + settings.name()
              + " has read message "
              + anchor.id()
              + " at "
              + position
              + ", but the outbox has "
              + (found.isEmpty()
                  ? "nothing there"
                  : "message " + found.get(0).message().id() + " at " + found.get(0).position())
              + ". The store was restored from a backup, or failed over without its last commits, or"
              + " the outbox was emptied by hand; what was published can't be taken back: decide"
              + " with RelayControl.restart. Or another service, with a store of its own, publishes"
              + " to this broker under a relay that is also named "
              + settings.name()
              + ": then rename one of the two, and restart nothing, for that breaks the other");
    }
    return found.subList(1, found.size());
  }
}
