package dev.sluice.examples.sqlite;

import static java.lang.String.join;
import static java.util.Collections.nCopies;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
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
import java.nio.file.Path;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps everything in one SQLite file, for services that run on one machine. Safe for use by any
 * number of threads, and by several processes on one local file.
 *
 * <p>SQLite lets one writer in at a time, and a position is drawn after it was let in. So commits
 * become visible in the order of their positions: whatever a reader has seen, nothing can appear
 * before it, and no open append hides anything.
 */
public final class SqliteStorage implements Storage {

  private static final Logger LOG = LoggerFactory.getLogger(SqliteStorage.class);

  private static final List<String> SCHEMA =
      List.of(
          "CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY AUTOINCREMENT,"
              + " category TEXT NOT NULL, stream TEXT NOT NULL, version INTEGER NOT NULL,"
              + " id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, time INTEGER NOT NULL,"
              + " data BLOB NOT NULL, metadata BLOB NOT NULL, UNIQUE (category, stream, version))",
          "CREATE INDEX IF NOT EXISTS events_by_type ON events (type, position)",
          // AUTOINCREMENT: the place of a message that was pruned is never given again.
          "CREATE TABLE IF NOT EXISTS messages (position INTEGER PRIMARY KEY AUTOINCREMENT,"
              + " id TEXT NOT NULL, type TEXT NOT NULL, key TEXT NOT NULL, subject TEXT NOT NULL,"
              + " time INTEGER NOT NULL, data BLOB NOT NULL, correlation TEXT, causation TEXT)",
          "CREATE TABLE IF NOT EXISTS checkpoints (name TEXT PRIMARY KEY, position INTEGER,"
              + " state BLOB, token INTEGER, revision INTEGER)",
          "CREATE TABLE IF NOT EXISTS snapshots (category TEXT, stream TEXT, schema TEXT,"
              + " version INTEGER, state BLOB, PRIMARY KEY (category, stream, schema))",
          // A row stays when its lease ends, because the next token is counted from it.
          "CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, owner TEXT, token INTEGER,"
              + " expires INTEGER)");

  private final Path file;
  private final Database writer;
  private final Database reader;
  private final List<Runnable> hints = new CopyOnWriteArrayList<>();

  private SqliteStorage(Path file) {
    this.file = file;
    writer = new Database(file);
    reader = new Database(file);
    // Asked first, so that opening a file does not wait for whoever is writing into it.
    String lastTable = "SELECT count(*) FROM sqlite_master WHERE name = 'leases'";
    if (reader.read(() -> reader.number(lastTable)) == 0) {
      writer.write(
          () -> {
            for (String table : SCHEMA) {
              writer.update(table);
            }
            return SCHEMA.size();
          });
    }
  }

  /** Opens a file, which is created if it does not exist. Its directory must exist. */
  public static SqliteStorage open(Path file) {
    return new SqliteStorage(file);
  }

  @Override
  public String describe() {
    String version =
        reader.read(() -> reader.query(r -> r.getString(1), "SELECT sqlite_version()").getFirst());
    return "SQLite " + version + ", file " + file.getFileName();
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
    return new Leases();
  }

  @Override
  public void close() {
    writer.close();
    reader.close();
  }

  /** An append, in a transaction that the caller has begun as the only writer. */
  static AppendResult append(Database db, Append append) throws SQLException {
    Optional<AppendResult> earlier = append.repeatOf(stored(db, append));
    if (earlier.isPresent()) {
      return earlier.get();
    }
    StreamId stream = append.stream();
    long tail =
        db.number(
            "SELECT coalesce(max(version), 0) FROM events WHERE category = ? AND stream = ?",
            stream.category(),
            stream.id());
    if (!append.expected().isMetBy(tail)) {
      throw append.conflict(tail);
    }
    long position = last(db, "events");
    long version = tail;
    try (PreparedStatement event =
            db.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
        PreparedStatement message =
            db.prepare("INSERT INTO messages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)")) {
      for (NewEvent e : append.events()) {
        Database.bind(
                event,
                ++position,
                stream.category(),
                stream.id(),
                ++version,
                e.id(),
                e.type(),
                e.time(),
                e.data(),
                e.metadata())
            .executeUpdate();
        for (IntegrationMessage m : e.messages()) {
          Database.bind(
                  message,
                  m.id(),
                  m.type(),
                  m.key(),
                  m.subject(),
                  m.time(),
                  m.data(),
                  m.correlationId(),
                  m.causationId())
              .executeUpdate();
        }
      }
    }
    return new AppendResult(tail + 1, version, new Position(position));
  }

  private static List<StoredEvent> stored(Database db, Append append) throws SQLException {
    List<StoredEvent> stored = new ArrayList<>();
    try (PreparedStatement find = db.prepare("SELECT * FROM events WHERE id = ?")) {
      for (UUID id : append.ids()) {
        stored.addAll(db.query(SqliteStorage::storedEvent, Database.bind(find, id)));
      }
    }
    return stored;
  }

  /** The last position of a table that was ever committed, also if its row is gone. */
  private static long last(Database db, String table) throws SQLException {
    return db.number("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)", table);
  }

  private static StreamId stream(ResultSet row) throws SQLException {
    return new StreamId(row.getString("category"), row.getString("stream"));
  }

  private static StoredEvent storedEvent(ResultSet row) throws SQLException {
    return new StoredEvent(
        UUID.fromString(row.getString("id")),
        stream(row),
        row.getLong("version"),
        new Position(row.getLong("position")));
  }

  private static RecordedEvent event(ResultSet row) throws SQLException {
    return new RecordedEvent(
        UUID.fromString(row.getString("id")),
        stream(row),
        row.getLong("version"),
        new Position(row.getLong("position")),
        row.getString("type"),
        Database.time(row, "time"),
        Database.payload(row, "data"),
        Database.payload(row, "metadata"));
  }

  private static int checked(int limit, int max) {
    if (limit < 1 || limit > max) {
      throw new IllegalArgumentException("a read returns 1 to " + max + ", not " + limit);
    }
    return limit;
  }

  private Registration register(Runnable hint) {
    Runnable registered = () -> hint.run();
    hints.add(registered);
    return () -> hints.remove(registered);
  }

  private final class Events implements EventStore {

    @Override
    public AppendResult append(Append append) {
      AppendResult result = writer.write(() -> SqliteStorage.append(writer, append));
      for (Runnable hint : hints) {
        try {
          hint.run();
        } catch (RuntimeException e) {
          LOG.warn("A hint after an append failed; reading from time to time makes up for it", e);
        }
      }
      return result;
    }

    @Override
    public List<RecordedEvent> read(StreamId stream, StreamRange range) {
      String where = "SELECT * FROM events WHERE category = ? AND stream = ? AND version ";
      String order =
          range.backwards()
              ? "<= ? ORDER BY version DESC LIMIT ?"
              : ">= ? ORDER BY version LIMIT ?";
      return reader.read(
          () ->
              reader.query(
                  SqliteStorage::event,
                  where + order,
                  stream.category(),
                  stream.id(),
                  range.from(),
                  range.limit()));
    }

    @Override
    public Optional<StoredEvent> find(UUID eventId) {
      return reader.read(
          () ->
              reader.first(
                  SqliteStorage::storedEvent, "SELECT * FROM events WHERE id = ?", eventId));
    }
  }

  private final class Log implements GlobalLog {

    private String where(EventFilter filter, List<Object> values) {
      String where = " FROM events WHERE position > ? AND position <= ?";
      if (!filter.categories().isEmpty()) {
        where += " AND category IN (" + join(",", nCopies(filter.categories().size(), "?")) + ")";
        values.addAll(filter.categories());
      }
      if (!filter.types().isEmpty()) {
        where += " AND type IN (" + join(",", nCopies(filter.types().size(), "?")) + ")";
        values.addAll(filter.types());
      }
      return where;
    }

    @Override
    public LogPage read(Position after, EventFilter filter, int limit) {
      checked(limit, MAX_LIMIT);
      return reader.read(
          () -> {
            // First the head, then the events up to it: what is stored in between comes next time.
            Position head = head();
            List<Object> values = new ArrayList<>(List.of(after, head));
            String sql = "SELECT *" + where(filter, values) + " ORDER BY position LIMIT ?";
            values.add(limit + 1);
            List<RecordedEvent> events = reader.query(SqliteStorage::event, sql, values.toArray());
            boolean more = events.size() > limit;
            List<RecordedEvent> page = more ? events.subList(0, limit) : events;
            return new LogPage(
                page, more ? page.getLast().position() : Position.max(after, head), more);
          });
    }

    private Position head() throws SQLException {
      return new Position(reader.number("SELECT coalesce(max(position), 0) FROM events"));
    }

    @Override
    public LogStatus status() {
      return new LogStatus(reader.read(this::head), Optional.empty());
    }

    @Override
    public long count(Position after, EventFilter filter) {
      List<Object> values = new ArrayList<>(List.of(after, Long.MAX_VALUE));
      String sql = "SELECT count(*)" + where(filter, values);
      return reader.read(() -> reader.number(sql, values.toArray()));
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return register(hint);
    }
  }

  private final class Messages implements Outbox {

    @Override
    public List<OutboxMessage> read(Position after, int limit) {
      checked(limit, MAX_LIMIT);
      return reader.read(
          () ->
              reader.query(
                  Messages::message,
                  "SELECT * FROM messages WHERE position > ? ORDER BY position LIMIT ?",
                  after,
                  limit));
    }

    private static OutboxMessage message(ResultSet row) throws SQLException {
      return new OutboxMessage(
          new Position(row.getLong("position")),
          new IntegrationMessage(
              UUID.fromString(row.getString("id")),
              row.getString("type"),
              row.getString("key"),
              row.getString("subject"),
              Database.time(row, "time"),
              Database.payload(row, "data"),
              Optional.ofNullable(row.getString("correlation")),
              Optional.ofNullable(row.getString("causation"))));
    }

    @Override
    public Position head() {
      return new Position(reader.read(() -> last(reader, "messages")));
    }

    @Override
    public long count(Position after) {
      return reader.read(
          () -> reader.number("SELECT count(*) FROM messages WHERE position > ?", after));
    }

    @Override
    public int prune(int max) {
      return writer.write(
          () ->
              writer.update(
                  "DELETE FROM messages WHERE position IN (SELECT position FROM messages WHERE"
                      + " position <= (SELECT min(position) FROM checkpoints WHERE"
                      + " substr(name, 1, length(?1)) = ?1) ORDER BY position LIMIT ?2)",
                  RELAY_PREFIX,
                  max));
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return register(hint);
    }
  }

  private final class Checkpoints implements CheckpointStore {

    private static Checkpoint checkpoint(ResultSet row) throws SQLException {
      return new Checkpoint(
          row.getString("name"),
          new Position(row.getLong("position")),
          Database.payload(row, "state"),
          row.getLong("token"),
          row.getLong("revision"));
    }

    private static Optional<Checkpoint> load(Database db, String name) throws SQLException {
      return db.first(Checkpoints::checkpoint, "SELECT * FROM checkpoints WHERE name = ?", name);
    }

    @Override
    public Optional<Checkpoint> load(String name) {
      return reader.read(() -> load(reader, name));
    }

    @Override
    public void save(Checkpoint next) {
      writer.write(
          () -> {
            Optional<Checkpoint> stored = load(writer, next.name());
            boolean follows =
                next.revision() == stored.map(Checkpoint::revision).orElse(0L) + 1
                    && next.token() >= stored.map(Checkpoint::token).orElse(0L)
                    && !stored
                        .map(Checkpoint::position)
                        .orElse(Position.START)
                        .isAfter(next.position());
            if (!follows) {
              throw new CheckpointConflictException(next, stored);
            }
            return writer.update(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)",
                next.name(),
                next.position(),
                next.state(),
                next.token(),
                next.revision());
          });
    }

    @Override
    public List<Checkpoint> list(String prefix) {
      String sql = "SELECT * FROM checkpoints WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
      return reader.read(() -> reader.query(Checkpoints::checkpoint, sql, prefix));
    }

    @Override
    public void delete(String name) {
      writer.write(() -> writer.update("DELETE FROM checkpoints WHERE name = ?", name));
    }
  }

  private final class Snapshots implements SnapshotStore {

    @Override
    public Optional<Snapshot> load(StreamId stream, String schema) {
      return reader.read(
          () ->
              reader.first(
                  row ->
                      new Snapshot(
                          stream, schema, row.getLong("version"), Database.payload(row, "state")),
                  "SELECT * FROM snapshots WHERE category = ? AND stream = ? AND schema = ?",
                  stream.category(),
                  stream.id(),
                  schema));
    }

    @Override
    public void save(Snapshot snapshot) {
      writer.write(
          () ->
              writer.update(
                  "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)",
                  snapshot.stream().category(),
                  snapshot.stream().id(),
                  snapshot.schema(),
                  snapshot.version(),
                  snapshot.state()));
    }

    @Override
    public void delete(StreamId stream) {
      writer.write(
          () ->
              writer.update(
                  "DELETE FROM snapshots WHERE category = ? AND stream = ?",
                  stream.category(),
                  stream.id()));
    }
  }

  /** The clock of the store is that of the machine, which all processes on the file share. */
  private final class Leases implements LeaseStore {

    private static Lease lease(ResultSet row) throws SQLException {
      return new Lease(
          row.getString("name"),
          row.getString("owner"),
          row.getLong("token"),
          Instant.ofEpochMilli(row.getLong("expires")));
    }

    private static final String HELD =
        "UPDATE leases SET expires = ? WHERE name = ? AND token = ? AND expires > ?";

    @Override
    public Optional<Lease> acquire(String name, String owner, Duration duration) {
      return writer.write(
          () -> {
            long now = System.currentTimeMillis();
            int taken =
                writer.update(
                    "INSERT INTO leases VALUES (?1, ?2, 1, ?3) ON CONFLICT (name) DO UPDATE SET"
                        + " owner = ?2, token = token + 1, expires = ?3 WHERE expires <= ?4",
                    name,
                    owner,
                    now + duration.toMillis(),
                    now);
            return taken == 0
                ? Optional.empty()
                : writer.first(Leases::lease, "SELECT * FROM leases WHERE name = ?", name);
          });
    }

    @Override
    public Lease renew(Lease lease, Duration duration) {
      return writer.write(
          () -> {
            long now = System.currentTimeMillis();
            long expires = now + duration.toMillis();
            if (writer.update(HELD, expires, lease.name(), lease.token(), now) == 0) {
              throw new LeaseLostException(lease);
            }
            return new Lease(
                lease.name(), lease.owner(), lease.token(), Instant.ofEpochMilli(expires));
          });
    }

    @Override
    public void release(Lease lease) {
      long now = System.currentTimeMillis();
      writer.write(() -> writer.update(HELD, now, lease.name(), lease.token(), now));
    }

    @Override
    public List<Lease> list(String prefix) {
      String sql =
          "SELECT * FROM leases WHERE substr(name, 1, length(?1)) = ?1 AND expires > ?2 ORDER BY name";
      return reader.read(
          () -> reader.query(Leases::lease, sql, prefix, System.currentTimeMillis()));
    }
  }
}
