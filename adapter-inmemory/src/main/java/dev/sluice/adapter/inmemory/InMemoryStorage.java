package dev.sluice.adapter.inmemory;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.UUID;

/**
 * Keeps everything in memory, with all guarantees of the contract but durability beyond the
 * process: for tests, demos, and as the guide for authors of adapters. Safe for use by any number
 * of threads.
 */
public final class InMemoryStorage implements Storage {

  private final Data data;
  private volatile boolean closed;

  InMemoryStorage(Data data) {
    this.data = data;
  }

  /** A new, empty store. */
  public static InMemoryStorage create() {
    return create(Clock.systemUTC());
  }

  /** A new, empty store whose leases expire by a clock of the caller's. */
  public static InMemoryStorage create(Clock clock) {
    return new InMemoryStorage(new Data(clock, new CommitLog(clock)));
  }

  /**
   * Another storage on the same data, as another process would have, or this one after a restart:
   * the data live for as long as anybody refers to one of the storages, closed or not.
   */
  public InMemoryStorage another() {
    return new InMemoryStorage(data);
  }

  /** Lets a test decide when and how appends end. */
  public CommitSchedule schedule() {
    return data.schedule;
  }

  @Override
  public String describe() {
    return "in memory, in this process";
  }

  @Override
  public EventStore eventStore() {
    return new Events();
  }

  @Override
  public GlobalLog globalLog() {
    return new Log();
  }

  @Override
  public Outbox outbox() {
    return new Messages();
  }

  @Override
  public CheckpointStore checkpoints() {
    return new Checkpoints();
  }

  @Override
  public SnapshotStore snapshots() {
    return new Snapshots();
  }

  @Override
  public LeaseStore leases() {
    return new OpenLeases();
  }

  @Override
  public void close() {
    closed = true;
  }

  private Data data() {
    if (closed) {
      throw new IllegalStateException("this storage is closed; create another one");
    }
    return data;
  }

  private final class Events implements EventStore {

    @Override
    public AppendResult append(Append append) {
      try {
        return data().schedule.append(append);
      } finally {
        data.hints.callAll();
      }
    }

    @Override
    public List<RecordedEvent> read(StreamId stream, StreamRange range) {
      return data().log.read(stream, range);
    }

    @Override
    public Optional<StoredEvent> find(UUID eventId) {
      return data().log.find(eventId);
    }
  }

  private final class Log implements GlobalLog {

    @Override
    public LogPage read(Position after, EventFilter filter, int limit) {
      return data().log.readLog(after, filter, GlobalLog.checkedLimit(limit));
    }

    @Override
    public LogStatus status() {
      return data().log.status();
    }

    @Override
    public long count(Position after, EventFilter filter) {
      return data().log.count(after, filter);
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return data().hints.add(hint);
    }
  }

  private final class Messages implements Outbox {

    @Override
    public List<OutboxMessage> read(Position after, int limit) {
      return data().log.readOutbox(after, Outbox.checkedLimit(limit));
    }

    @Override
    public Position head() {
      return data().log.outboxHead();
    }

    @Override
    public long count(Position after) {
      return data().log.countOutbox(after);
    }

    @Override
    public int prune(int max) {
      return checkpoints().list(RELAY_PREFIX).stream()
          .map(Checkpoint::position)
          .min(Position::compareTo)
          .map(passedByAll -> data().log.prune(passedByAll, max))
          .orElse(0);
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return data().hints.add(hint);
    }
  }

  private final class Checkpoints implements CheckpointStore {

    @Override
    public Optional<Checkpoint> load(String name) {
      synchronized (all()) {
        return Optional.ofNullable(all().get(name));
      }
    }

    @Override
    public void save(Checkpoint checkpoint) {
      synchronized (all()) {
        checkpoint.checkFollows(Optional.ofNullable(all().get(checkpoint.name())));
        data.schedule.beforeCheckpoint();
        all().put(checkpoint.name(), checkpoint);
      }
    }

    @Override
    public List<Checkpoint> list(String prefix) {
      synchronized (all()) {
        return all().tailMap(prefix).values().stream()
            .takeWhile(checkpoint -> checkpoint.name().startsWith(prefix))
            .toList();
      }
    }

    @Override
    public void delete(String name) {
      synchronized (all()) {
        all().remove(name);
      }
    }

    private NavigableMap<String, Checkpoint> all() {
      return data().checkpoints;
    }
  }

  private final class Snapshots implements SnapshotStore {

    @Override
    public Optional<Snapshot> load(StreamId stream, String schema) {
      synchronized (data().snapshots) {
        return Optional.ofNullable(data.snapshots.get(List.<Object>of(stream, schema)));
      }
    }

    @Override
    public void save(Snapshot snapshot) {
      synchronized (data().snapshots) {
        data.snapshots.put(List.<Object>of(snapshot.stream(), snapshot.schema()), snapshot);
      }
    }

    @Override
    public void delete(StreamId stream) {
      synchronized (data().snapshots) {
        data.snapshots.values().removeIf(snapshot -> snapshot.stream().equals(stream));
      }
    }
  }

  /** The leases, as long as this storage is open. */
  private final class OpenLeases implements LeaseStore {

    @Override
    public Optional<Lease> acquire(String name, String owner, Duration duration) {
      return data().leases.acquire(name, owner, duration);
    }

    @Override
    public Lease renew(Lease lease, Duration duration) {
      return data().leases.renew(lease, duration);
    }

    @Override
    public void release(Lease lease) {
      data().leases.release(lease);
    }

    @Override
    public List<Lease> list(String prefix) {
      return data().leases.list(prefix);
    }
  }
}
