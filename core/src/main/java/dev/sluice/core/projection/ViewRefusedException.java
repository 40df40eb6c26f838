package dev.sluice.core.projection;

import dev.sluice.core.SluiceException;
import dev.sluice.core.event.RecordedEvent;

/**
 * A view's database has refused what a handler wrote for an event. The event has failed, unlike in
 * an outage, after which it is tried again without being counted. For adapters with projections.
 */
public class ViewRefusedException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /**
   * Names the event.
   *
   * @param view the projection's name
   * @param event the event that the handler was at
   * @param problem what the database said, in one line
   * @param cause how it said it
   */
  public ViewRefusedException(String view, RecordedEvent event, String problem, Throwable cause) {
    super(
        "the view '"
            + view
            + "' can't take "
            + event.stream()
            + ", version "
            + event.version()
            + " ("
            + event.type()
            + "): "
            + problem,
        cause);
  }
}
