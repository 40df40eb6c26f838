package dev.sluice.publisher;

import dev.sluice.core.SluiceException;

/** The lane is not published as it is now: the number of lanes was changed, or is being changed. */
final class LaneSealedException extends SluiceException {

  private static final long serialVersionUID = 1L;

  LaneSealedException(String message) {
    super(message);
  }
}
