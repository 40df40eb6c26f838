package dev.sluice.core.aggregate;

import dev.sluice.core.SluiceException;
import dev.sluice.core.store.VersionConflictException;

/** A command met a technical conflict at each of its attempts. Nothing of it was stored. */
public class TooManyConflictsException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** After so many attempts, of which the last one failed as the cause says. */
  public TooManyConflictsException(int attempts, VersionConflictException last) {
    super(
        "gave up on "
            + last.stream()
            + " after "
            + attempts
            + " attempts that each met a concurrent append; try again later, allow more attempts"
            + " in the RetryPolicy, or let one writer at a time work on this aggregate",
        last);
  }
}
