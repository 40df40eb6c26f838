package dev.sluice.publisher;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;

/** A store in this JVM, whose outbox a test can fill without domain events, and set back. */
public final class TestStore implements Outbox {
  private final List<OutboxMessage> messages = new ArrayList<>();
  private final List<Runnable> hints = new CopyOnWriteArrayList<>();
  private final Checkpoints checkpoints = new Checkpoints();
  private final Leases leases = new Leases();
  private long last;

  /** Appends a message as a commit of its own. */
  public OutboxMessage add(String type, String key, String json) {
    OutboxMessage message;
    synchronized (this) {
      last += 1 << 16;
      message =
          new OutboxMessage(
              new Position(last),
              new IntegrationMessage(
                  UUID.randomUUID(),
                  type,
                  key,
                  key,
                  Instant.now(),
                  Payload.ofUtf8(json),
                  Optional.of("correlation-" + key),
                  Optional.empty()));
      messages.add(message);
    }
    hints.forEach(Runnable::run);
    return message;
  }

  /** Forgets what came after a position, as a restored backup does. */
  public synchronized void restoreTo(Position position) {
    messages.removeIf(m -> m.position().isAfter(position));
    last = position.value();
  }

  public CheckpointStore checkpoints() {
    return checkpoints;
  }

  public LeaseStore leases() {
    return leases;
  }

  @Override
  public synchronized List<OutboxMessage> read(Position after, int limit) {
    int from = 0;
    int to = messages.size();
    while (from < to) {
      int middle = (from + to) >>> 1;
      if (messages.get(middle).position().isAfter(after)) {
        to = middle;
      } else {
        from = middle + 1;
      }
    }
    return List.copyOf(messages.subList(from, Math.min(messages.size(), from + limit)));
  }

  @Override
  public synchronized Position head() {
    return new Position(last);
  }

  @Override
  public synchronized long count(Position after) {
    return messages.stream().filter(m -> m.position().isAfter(after)).count();
  }

  @Override
  public synchronized int prune(int max) {
    Optional<Position> least =
        checkpoints.list(RELAY_PREFIX).stream().map(Checkpoint::position).min(Position::compareTo);
    int before = messages.size();
    least.ifPresent(
        position ->
            messages.removeAll(
                messages.stream()
                    .filter(m -> !m.position().isAfter(position))
                    .limit(max)
                    .toList()));
    return before - messages.size();
  }

  @Override
  public Registration onAppend(Runnable hint) {
    hints.add(hint);
    return () -> hints.remove(hint);
  }

  private static final class Checkpoints implements CheckpointStore {
    private final TreeMap<String, Checkpoint> all = new TreeMap<>();

    @Override
    public synchronized Optional<Checkpoint> load(String name) {
      return Optional.ofNullable(all.get(name));
    }

    @Override
    public synchronized void save(Checkpoint next) {
      Optional<Checkpoint> stored = load(next.name());
      boolean follows =
          stored
              .map(
                  s ->
                      next.revision() == s.revision() + 1
                          && next.token() >= s.token()
                          && !s.position().isAfter(next.position()))
              .orElse(next.revision() == 1);
      if (!follows) {
        throw new CheckpointConflictException(next, stored);
      }
      all.put(next.name(), next);
    }

    @Override
    public synchronized List<Checkpoint> list(String prefix) {
      return List.copyOf(all.subMap(prefix, prefix + Character.MAX_VALUE).values());
    }

    @Override
    public synchronized void delete(String name) {
      all.remove(name);
    }
  }

  private static final class Leases implements LeaseStore {
    private final TreeMap<String, Lease> all = new TreeMap<>();

    private boolean isHeld(Lease lease) {
      return lease.expiresAt().isAfter(Instant.now());
    }

    @Override
    public synchronized Optional<Lease> acquire(String name, String owner, Duration duration) {
      Lease last = all.get(name);
      if (last != null && isHeld(last)) {
        return Optional.empty();
      }
      long token = last == null ? 1 : last.token() + 1;
      Lease lease = new Lease(name, owner, token, Instant.now().plus(duration));
      all.put(name, lease);
      return Optional.of(lease);
    }

    private Optional<Lease> held(Lease lease) {
      return Optional.ofNullable(all.get(lease.name()))
          .filter(stored -> stored.token() == lease.token() && isHeld(stored));
    }

    @Override
    public synchronized Lease renew(Lease lease, Duration duration) {
      Lease held = held(lease).orElseThrow(() -> new LeaseLostException(lease));
      Lease renewed =
          new Lease(held.name(), held.owner(), held.token(), Instant.now().plus(duration));
      all.put(held.name(), renewed);
      return renewed;
    }

    @Override
    public synchronized void release(Lease lease) {
      held(lease)
          .ifPresent(
              held ->
                  all.put(
                      held.name(),
                      new Lease(held.name(), held.owner(), held.token(), Instant.EPOCH)));
    }

    @Override
    public synchronized List<Lease> list(String prefix) {
      return all.subMap(prefix, prefix + Character.MAX_VALUE).values().stream()
          .filter(this::isHeld)
          .toList();
    }
  }
}
