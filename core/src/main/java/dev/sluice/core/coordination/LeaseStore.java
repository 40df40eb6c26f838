package dev.sluice.core.coordination;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Grants leases: at any time one holder for each name, by the clock of the store. A holder that was
 * paused for longer than its lease may not know that it lost it, which is why everything that it
 * writes to must check the token.
 *
 * <p><b>Threads.</b> Safe for use by any number of threads and processes. Every call blocks.
 */
public interface LeaseStore {

  /**
   * Takes a lease that nobody holds: never granted, released, or expired.
   *
   * @param owner who takes it, for people; a lease that is held is refused also to an owner of the
   *     same name
   * @param duration until it expires, at least 1 millisecond
   * @return the lease, or empty if somebody holds it
   */
  Optional<Lease> acquire(String name, String owner, Duration duration);

  /**
   * Extends a lease from now on. Its token stays. The holder is known by owner and token: a store
   * that has lost its last commits, in a failover, gives tokens again.
   *
   * @return the extended lease
   * @throws LeaseLostException if it has expired, was released, or has another holder
   */
  Lease renew(Lease lease, Duration duration);

  /** Gives a lease back; nothing happens if it was lost before. */
  void release(Lease lease);

  /** The leases that are held now and whose names start with a prefix, in order of names. */
  List<Lease> list(String prefix);
}
