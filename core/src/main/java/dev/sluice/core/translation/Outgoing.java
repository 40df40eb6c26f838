package dev.sluice.core.translation;

import dev.sluice.core.outbox.IntegrationEvent;
import java.util.Optional;

/**
 * An integration event that a translator sends out.
 *
 * @param event the event
 * @param key what its order is kept by; the aggregate's id if empty
 */
public record Outgoing(IntegrationEvent event, Optional<String> key) {

  /** Ordered by the aggregate's id. */
  public static Outgoing of(IntegrationEvent event) {
    return new Outgoing(event, Optional.empty());
  }

  /** Ordered by a key of its own. */
  public Outgoing withKey(String key) {
    return new Outgoing(event, Optional.of(key));
  }
}
