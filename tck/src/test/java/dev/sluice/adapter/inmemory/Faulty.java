package dev.sluice.adapter.inmemory;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
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
import dev.sluice.tck.Capability;
import dev.sluice.tck.InMemoryFixture;
import dev.sluice.tck.StorageFixture;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The in-memory adapter with a part replaced, and parts that pass on every call. */
final class Faulty {

  private Faulty() {}

  static Supplier<StorageFixture> log(Function<Clock, CommitLog> log) {
    return storages(Clock::systemUTC, log, InMemoryStorage::new);
  }

  static Supplier<StorageFixture> log(
      Function<Clock, CommitLog> log, Function<Data, Storage> storage) {
    return storages(Clock::systemUTC, log, storage);
  }

  static Supplier<StorageFixture> storages(
      Supplier<Clock> clock, Function<Clock, CommitLog> log, Function<Data, Storage> storage) {
    return () -> {
      Data data = new Data(clock.get(), log.apply(clock.get()));
      return new MutantFixture(new InMemoryStorage(data), ignored -> storage.apply(data));
    };
  }

  static Supplier<StorageFixture> storage(UnaryOperator<Storage> wrap) {
    return () -> new MutantFixture(InMemoryStorage.create(), wrap);
  }

  static Supplier<StorageFixture> events(UnaryOperator<EventStore> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              private final EventStore wrapped = wrap.apply(storage.eventStore());

              @Override
              public EventStore eventStore() {
                return wrapped;
              }
            });
  }

  static Supplier<StorageFixture> globalLog(UnaryOperator<GlobalLog> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              private final GlobalLog wrapped = wrap.apply(storage.globalLog());

              @Override
              public GlobalLog globalLog() {
                return wrapped;
              }
            });
  }

  static Supplier<StorageFixture> leases(UnaryOperator<LeaseStore> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              @Override
              public LeaseStore leases() {
                return wrap.apply(super.leases());
              }
            });
  }

  static Supplier<StorageFixture> snapshots(UnaryOperator<SnapshotStore> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              @Override
              public SnapshotStore snapshots() {
                return wrap.apply(super.snapshots());
              }
            });
  }

  static Supplier<StorageFixture> checkpointStore(UnaryOperator<CheckpointStore> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              private final CheckpointStore wrapped = wrap.apply(storage.checkpoints());

              @Override
              public CheckpointStore checkpoints() {
                return wrapped;
              }
            });
  }

  /** Which checkpoint may be saved where another is stored. */
  interface Rule {
    boolean follows(@Nullable Checkpoint stored, Checkpoint next);
  }

  static Supplier<StorageFixture> checkpoints(Rule rule) {
    return log(
        CommitLog::new,
        data ->
            new Wrapped(new InMemoryStorage(data)) {
              @Override
              public CheckpointStore checkpoints() {
                return new CheckpointsOf(super.checkpoints()) {
                  @Override
                  public void save(Checkpoint next) {
                    synchronized (data.checkpoints) {
                      Checkpoint stored = data.checkpoints.get(next.name());
                      if (!rule.follows(stored, next)) {
                        throw new CheckpointConflictException(next, Optional.ofNullable(stored));
                      }
                      data.checkpoints.put(next.name(), next);
                    }
                  }
                };
              }
            });
  }

  /** A store that is declared to refuse some chars. */
  static Supplier<StorageFixture> refusing(UnaryOperator<EventStore> wrap) {
    return () ->
        new MutantFixture(
            InMemoryStorage.create(),
            storage ->
                new Wrapped(storage) {
                  @Override
                  public EventStore eventStore() {
                    return wrap.apply(super.eventStore());
                  }
                }) {
          @Override
          public Set<Capability> capabilities() {
            return EnumSet.of(Capability.PARALLEL_APPENDS, Capability.LARGE_APPENDS);
          }
        };
  }

  static long revision(@Nullable Checkpoint stored) {
    return stored == null ? 0 : stored.revision();
  }

  static RecordedEvent copy(RecordedEvent e, Payload data, Instant time) {
    return new RecordedEvent(
        e.id(), e.stream(), e.version(), e.position(), e.type(), time, data, e.metadata());
  }

  static NewEvent with(NewEvent e, List<IntegrationMessage> messages) {
    return new NewEvent(e.id(), e.type(), e.time(), e.data(), e.metadata(), messages);
  }

  /** As a reader of a database would have them: objects of their own. */
  static List<RecordedEvent> copies(Stream<RecordedEvent> events) {
    return events.map(e -> copy(e, Payload.of(e.data().toBytes()), e.time())).toList();
  }

  /** On one that ends: a thread of a pool may keep what it made alive, into the next test. */
  static <T> T onAnotherThread(Supplier<T> work) {
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      return CompletableFuture.supplyAsync(work, threads).join();
    }
  }

  /** Places of a commit that are used more than once. */
  static <T> void wrap(NavigableMap<Long, T> log, long number, long places) {
    long first = number << CommitLog.INDEX_BITS;
    var beyond = new TreeMap<>(log.subMap(first + places, (number + 1) << CommitLog.INDEX_BITS));
    log.keySet().removeAll(beyond.keySet());
    beyond.forEach((position, value) -> log.put(first + (position - first) % places, value));
  }

  /** Every text of an append changed, but for streams. */
  static Append mapped(Append append, UnaryOperator<String> text) {
    return mappedEvents(
        append,
        e ->
            new NewEvent(
                e.id(),
                text.apply(e.type()),
                e.time(),
                e.data(),
                e.metadata(),
                e.messages().stream()
                    .map(
                        m ->
                            new IntegrationMessage(
                                m.id(),
                                text.apply(m.type()),
                                text.apply(m.key()),
                                text.apply(m.subject()),
                                m.time(),
                                m.data(),
                                m.correlationId().map(text),
                                m.causationId().map(text)))
                    .toList()));
  }

  static Append mappedEvents(Append append, UnaryOperator<NewEvent> mapping) {
    return new Append(
        append.stream(), append.expected(), append.events().stream().map(mapping).toList());
  }

  static Append withoutBad(Append append) {
    if (append.events().stream().anyMatch(e -> isBad(e.type()))) {
      throw new NotStorableException("a type with a char that this store can't hold");
    }
    return mappedEvents(
        append, e -> with(e, e.messages().stream().filter(m -> !isBad(m.key())).toList()));
  }

  static void refuseBad(String text) {
    if (isBad(text)) {
      throw new NotStorableException("a text with a char that this store can't hold");
    }
  }

  static boolean isBad(String text) {
    return text.chars().anyMatch(c -> c == 0 || Character.isSurrogate((char) c));
  }

  static IntegrationMessage nullEmpty(IntegrationMessage m) {
    return new IntegrationMessage(
        m.id(),
        m.type(),
        m.key(),
        m.subject(),
        m.time(),
        m.data(),
        m.correlationId().filter(text -> !text.isEmpty()),
        m.causationId().filter(text -> !text.isEmpty()));
  }

  static class MutantFixture extends InMemoryFixture {

    private final InMemoryStorage right;
    private final UnaryOperator<Storage> wrap;

    MutantFixture(InMemoryStorage right, UnaryOperator<Storage> wrap) {
      super(right);
      this.right = right;
      this.wrap = wrap;
    }

    @Override
    public Storage open() {
      return wrap.apply(right.another());
    }
  }

  static class Wrapped implements Storage {

    private final Storage right;

    Wrapped(Storage right) {
      this.right = right;
    }

    @Override
    public String describe() {
      return "a mutant";
    }

    @Override
    public EventStore eventStore() {
      return right.eventStore();
    }

    @Override
    public GlobalLog globalLog() {
      return right.globalLog();
    }

    @Override
    public Outbox outbox() {
      return right.outbox();
    }

    @Override
    public CheckpointStore checkpoints() {
      return right.checkpoints();
    }

    @Override
    public SnapshotStore snapshots() {
      return right.snapshots();
    }

    @Override
    public LeaseStore leases() {
      return right.leases();
    }

    @Override
    public void close() {
      right.close();
    }
  }

  static class Events implements EventStore {

    private final EventStore right;

    Events(EventStore right) {
      this.right = right;
    }

    @Override
    public AppendResult append(Append append) {
      return right.append(append);
    }

    @Override
    public List<RecordedEvent> read(StreamId stream, StreamRange range) {
      return right.read(stream, range);
    }

    @Override
    public Optional<StoredEvent> find(UUID eventId) {
      return right.find(eventId);
    }
  }

  static class Log implements GlobalLog {

    private final GlobalLog right;

    Log(GlobalLog right) {
      this.right = right;
    }

    @Override
    public LogPage read(Position after, EventFilter filter, int limit) {
      return right.read(after, filter, limit);
    }

    @Override
    public LogStatus status() {
      return right.status();
    }

    @Override
    public long count(Position after, EventFilter filter) {
      return right.count(after, filter);
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return right.onAppend(hint);
    }
  }

  static class Messages implements Outbox {

    private final Outbox right;

    Messages(Outbox right) {
      this.right = right;
    }

    @Override
    public List<OutboxMessage> read(Position after, int limit) {
      return right.read(after, limit);
    }

    @Override
    public Position head() {
      return right.head();
    }

    @Override
    public long count(Position after) {
      return right.count(after);
    }

    @Override
    public int prune(int max) {
      return right.prune(max);
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return right.onAppend(hint);
    }
  }

  static class LeasesOf implements LeaseStore {

    private final LeaseStore right;

    LeasesOf(LeaseStore right) {
      this.right = right;
    }

    @Override
    public Optional<Lease> acquire(String name, String owner, Duration duration) {
      return right.acquire(name, owner, duration);
    }

    @Override
    public Lease renew(Lease lease, Duration duration) {
      return right.renew(lease, duration);
    }

    @Override
    public void release(Lease lease) {
      right.release(lease);
    }

    @Override
    public List<Lease> list(String prefix) {
      return right.list(prefix);
    }
  }

  static class SnapshotsOf implements SnapshotStore {

    private final SnapshotStore right;

    SnapshotsOf(SnapshotStore right) {
      this.right = right;
    }

    @Override
    public Optional<Snapshot> load(StreamId stream, String schema) {
      return right.load(stream, schema);
    }

    @Override
    public void save(Snapshot snapshot) {
      right.save(snapshot);
    }

    @Override
    public void delete(StreamId stream) {
      right.delete(stream);
    }
  }

  static class CheckpointsOf implements CheckpointStore {

    private final CheckpointStore right;

    CheckpointsOf(CheckpointStore right) {
      this.right = right;
    }

    @Override
    public Optional<Checkpoint> load(String name) {
      return right.load(name);
    }

    @Override
    public void save(Checkpoint checkpoint) {
      right.save(checkpoint);
    }

    @Override
    public List<Checkpoint> list(String prefix) {
      return right.list(prefix);
    }

    @Override
    public void delete(String name) {
      right.delete(name);
    }
  }
}
