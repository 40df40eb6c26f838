package dev.sluice.core.coordination;

import dev.sluice.core.SluiceException;

/** A lease is no longer held. Whoever gets this must stop what it did under the lease. */
public class LeaseLostException extends SluiceException {

  private static final long serialVersionUID = 1L;

  /** The lease that was lost. */
  public LeaseLostException(Lease lease) {
    super(
        "the lease '"
            + lease.name()
            + "' (token "
            + lease.token()
            + ") of "
            + lease.owner()
            + " has expired or was taken over; stop, and acquire it again");
  }
}
