package dev.sluice.adapter.inmemory;

import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.coordination.LeaseStore;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The last lease of each name. It stays after its end, expired, because the next token is counted
 * from it.
 */
final class Leases implements LeaseStore {

  private final Clock clock;
  private final NavigableMap<String, Lease> last = new TreeMap<>();

  Leases(Clock clock) {
    this.clock = clock;
  }

  @Override
  public synchronized Optional<Lease> acquire(String name, String owner, Duration duration) {
    Lease earlier = last.get(name);
    if (earlier != null && isHeld(earlier)) {
      return Optional.empty();
    }
    long token = earlier == null ? 1 : earlier.token() + 1;
    return Optional.of(keep(name, owner, token, clock.instant().plus(duration)));
  }

  @Override
  public synchronized Lease renew(Lease lease, Duration duration) {
    if (!isHeldBy(lease)) {
      throw new LeaseLostException(lease);
    }
    return keep(lease.name(), lease.owner(), lease.token(), clock.instant().plus(duration));
  }

  @Override
  public synchronized void release(Lease lease) {
    if (isHeldBy(lease)) {
      keep(lease.name(), lease.owner(), lease.token(), clock.instant());
    }
  }

  @Override
  public synchronized List<Lease> list(String prefix) {
    return last.tailMap(prefix).values().stream()
        .takeWhile(lease -> lease.name().startsWith(prefix))
        .filter(this::isHeld)
        .toList();
  }

  private Lease keep(String name, String owner, long token, Instant expiresAt) {
    Lease lease = new Lease(name, owner, token, expiresAt);
    last.put(name, lease);
    return lease;
  }

  private boolean isHeldBy(Lease lease) {
    Lease current = last.get(lease.name());
    return current != null
        && current.owner().equals(lease.owner())
        && current.token() == lease.token()
        && isHeld(current);
  }

  private boolean isHeld(Lease lease) {
    return clock.instant().isBefore(lease.expiresAt());
  }
}
