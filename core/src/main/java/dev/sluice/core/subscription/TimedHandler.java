package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import java.time.Instant;

/**
 * A handler that also does something at times of its own, such as when a deadline is reached. One
 * is made for each partition each time that this process becomes its owner; all its methods are
 * called from one thread.
 */
public interface TimedHandler extends EventHandler {

  /** When to call {@link #onTime} next; {@link Instant#MAX} for never. Asked after each event. */
  Instant nextTime();

  /**
   * Does what is due. What it throws is logged, and it is called again later.
   *
   * @param now the time
   * @param passed up to where events have been given to this handler or to an earlier owner's; only
   *     those of parked streams may come again
   * @param complete up to where each event has been dealt with for good: no event that lies there
   *     comes again, also not one of a stream that is parked
   */
  void onTime(Instant now, Position passed, Position complete);
}
