package dev.sluice.core.subscription;

import dev.sluice.core.event.RecordedEvent;

/**
 * Deals with one event at a time.
 *
 * <p>Each event is delivered at least once, those of one stream in order. After a crash the events
 * since the last saved checkpoint, at most a batch, come again: be idempotent, for example by the
 * event's position. Each partition calls it from one thread at a time; with several partitions it
 * must be safe for use by several threads.
 */
@FunctionalInterface
public interface EventHandler {

  /**
   * Deals with an event. Returning means that it is dealt with; the subscription moves on.
   *
   * @throws RuntimeException any, and the event is tried again as the failure policy says; a {@link
   *     dev.sluice.core.StoreUnavailableException} is nobody's fault and doesn't count as an
   *     attempt
   */
  void handle(RecordedEvent event);
}
