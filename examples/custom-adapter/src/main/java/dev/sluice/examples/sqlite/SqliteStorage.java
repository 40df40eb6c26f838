package dev.sluice.examples.sqlite;

import static java.util.Collections.nCopies;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
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
import dev.sluice.core.store.AppendHints;
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
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Scanner;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;

/**
 * Keeps everything in one SQLite file, for services that run on one machine. Safe for use by any
 * number of threads, and by several processes on one local file.
 *
 * <p>SQLite lets one writer in at a time, and a position is drawn after it was let in. So commits
 * become visible in the order of their positions: whatever a reader has seen, nothing can appear
 * before it, and no open append hides anything.
 */
public final class SqliteStorage {

  private SqliteStorage() {}

  /** Opens a file, which is created if it does not exist. Its directory must exist. */
  public static Storage open(Path file) {
    Database writer = new Database(file);
    Database reader = new Database(file);
    // Asked first, so that opening a file does not wait for whoever is writing into it.
    if (reader.number("SELECT count(*) FROM sqlite_master WHERE name = 'leases'") == 0) {
      InputStream sql = SqliteStorage.class.getResourceAsStream("schema.sql");
      try (Scanner schema = new Scanner(sql, StandardCharsets.UTF_8)) {
        schema.useDelimiter(";\n").forEachRemaining(writer::update);
      }
    }
    AppendHints hints = new AppendHints();
    String version = reader.query(row -> row.getString(1), "SELECT sqlite_version()").getFirst();
    return new Ports(
        "SQLite " + version + ", file " + file.getFileName(),
        new Events(writer, reader, hints),
        new Log(reader, hints),
        new Messages(writer, reader, hints),
        new Checkpoints(writer, reader),
        new Snapshots(writer, reader),
        new Leases(writer, reader));
  }

  private record Ports(
      String describe,
      Events eventStore,
      GlobalLog globalLog,
      Outbox outbox,
      CheckpointStore checkpoints,
      SnapshotStore snapshots,
      LeaseStore leases)
      implements Storage {

    @Override
    public void close() {
      eventStore.writer.close();
      eventStore.reader.close();
    }
  }

  private record Events(Database writer, Database reader, AppendHints hints) implements EventStore {

    private static final String BY_ID = "SELECT * FROM events WHERE id = ?";

    @Override
    public AppendResult append(Append append) {
      AppendResult result = writer.write(() -> SqliteStorage.append(writer, append));
      hints.callAll();
      return result;
    }

    @Override
    public List<RecordedEvent> read(StreamId stream, StreamRange range) {
      String order = range.backwards() ? "<= ? ORDER BY version DESC" : ">= ? ORDER BY version";
      String sql = "SELECT * FROM events WHERE stream = ? AND version " + order + " LIMIT ?";
      return reader.query(SqliteStorage::event, sql, stream, range.from(), range.limit());
    }

    @Override
    public Optional<StoredEvent> find(UUID eventId) {
      return reader.first(SqliteStorage::stored, BY_ID, eventId);
    }
  }

  /** An append, in a transaction that the caller has begun as the only writer. */
  static AppendResult append(Database db, Append append) {
    List<StoredEvent> stored = new ArrayList<>();
    append.ids().forEach(id -> stored.addAll(db.query(SqliteStorage::stored, Events.BY_ID, id)));
    Optional<AppendResult> earlier = append.repeatOf(stored);
    if (earlier.isPresent()) {
      return earlier.get();
    }
    StreamId stream = append.stream();
    long tail = db.number("SELECT coalesce(max(version), 0) FROM events WHERE stream = ?", stream);
    if (!append.expected().isMetBy(tail)) {
      throw append.conflict(tail);
    }
    String event = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    String message = "INSERT INTO messages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)";
    long at = head(db).value();
    long version = tail;
    for (NewEvent e : append.events()) {
      db.update(event, e.id(), stream, ++version, ++at, e.type(), e.time(), e.data(), e.metadata());
      for (IntegrationMessage m : e.messages()) {
        db.update(
            message,
            m.id(),
            m.type(),
            m.key(),
            m.subject(),
            m.time(),
            m.data(),
            m.correlationId(),
            m.causationId());
      }
    }
    return new AppendResult(tail + 1, version, new Position(at));
  }

  private static StoredEvent stored(ResultSet row) throws SQLException {
    StreamId stream = StreamId.parse(row.getString(2));
    Position position = new Position(row.getLong(4));
    return new StoredEvent(UUID.fromString(row.getString(1)), stream, row.getLong(3), position);
  }

  private static RecordedEvent event(ResultSet row) throws SQLException {
    StoredEvent stored = stored(row);
    return new RecordedEvent(
        stored.id(),
        stored.stream(),
        stored.version(),
        stored.position(),
        row.getString(5),
        Database.time(row, 6),
        Database.payload(row, 7),
        Database.payload(row, 8));
  }

  private static Position head(Database db) {
    return new Position(db.number("SELECT coalesce(max(position), 0) FROM events"));
  }

  private record Log(Database reader, AppendHints hints) implements GlobalLog {

    @Override
    public LogPage read(Position after, EventFilter filter, int limit) {
      // First the head, then the events up to it: what is stored in between comes next time.
      Position head = head(reader);
      List<Object> values = new ArrayList<>(List.of(after, head));
      String sql = "SELECT *" + matching(filter, values) + " ORDER BY position LIMIT ?";
      values.add(GlobalLog.checkedLimit(limit) + 1);
      List<RecordedEvent> found = reader.query(SqliteStorage::event, sql, values.toArray());
      return LogPage.of(after, head, found, limit);
    }

    @Override
    public LogStatus status() {
      return new LogStatus(head(reader), Optional.empty());
    }

    @Override
    public long count(Position after, EventFilter filter) {
      List<Object> values = new ArrayList<>(List.of(after, Long.MAX_VALUE));
      String sql = "SELECT count(*)" + matching(filter, values);
      return reader.number(sql, values.toArray());
    }

    private static String matching(EventFilter filter, List<Object> values) {
      return " FROM events WHERE position > ? AND position <= ?"
          + oneOf("category", filter.categories(), values)
          + oneOf("type", filter.types(), values);
    }

    private static String oneOf(String column, Set<String> wanted, List<Object> values) {
      values.addAll(wanted);
      String marks = String.join(",", nCopies(wanted.size(), "?"));
      return wanted.isEmpty() ? "" : " AND " + column + " IN (" + marks + ")";
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return hints.add(hint);
    }
  }

  private record Messages(Database writer, Database reader, AppendHints hints) implements Outbox {

    @Override
    public List<OutboxMessage> read(Position after, int limit) {
      String sql = "SELECT * FROM messages WHERE position > ? ORDER BY position LIMIT ?";
      return reader.query(Messages::message, sql, after, Outbox.checkedLimit(limit));
    }

    private static OutboxMessage message(ResultSet row) throws SQLException {
      IntegrationMessage message =
          new IntegrationMessage(
              UUID.fromString(row.getString(2)),
              row.getString(3),
              row.getString(4),
              row.getString(5),
              Database.time(row, 6),
              Database.payload(row, 7),
              Optional.ofNullable(row.getString(8)),
              Optional.ofNullable(row.getString(9)));
      return new OutboxMessage(new Position(row.getLong(1)), message);
    }

    @Override
    public Position head() {
      // The last place that was given, also if its message was pruned.
      String sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'messages'";
      return new Position(reader.number(sql));
    }

    @Override
    public long count(Position after) {
      return reader.number("SELECT count(*) FROM messages WHERE position > ?", after);
    }

    @Override
    public int prune(int max) {
      String relays =
          "SELECT min(position) FROM checkpoints WHERE name GLOB '" + RELAY_PREFIX + "*'";
      String passed = "SELECT position FROM messages WHERE position <= (" + relays + ")";
      String oldest = passed + " ORDER BY position LIMIT ?";
      String sql = "DELETE FROM messages WHERE position IN (" + oldest + ") RETURNING 1";
      return writer.query(row -> row.getInt(1), sql, max).size();
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return hints.add(hint);
    }
  }

  private record Checkpoints(Database writer, Database reader) implements CheckpointStore {

    private static Checkpoint checkpoint(ResultSet row) throws SQLException {
      Position position = new Position(row.getLong(2));
      Payload state = Database.payload(row, 3);
      return new Checkpoint(row.getString(1), position, state, row.getLong(4), row.getLong(5));
    }

    private static Optional<Checkpoint> load(Database db, String name) {
      return db.first(Checkpoints::checkpoint, "SELECT * FROM checkpoints WHERE name = ?", name);
    }

    @Override
    public Optional<Checkpoint> load(String name) {
      return load(reader, name);
    }

    @Override
    public void save(Checkpoint c) {
      String sql = "REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)";
      writer.write(
          () -> {
            c.checkFollows(load(writer, c.name()));
            writer.update(sql, c.name(), c.position(), c.state(), c.token(), c.revision());
            return c;
          });
    }

    @Override
    public List<Checkpoint> list(String prefix) {
      String sql = "SELECT * FROM checkpoints WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
      return reader.query(Checkpoints::checkpoint, sql, prefix);
    }

    @Override
    public void delete(String name) {
      writer.update("DELETE FROM checkpoints WHERE name = ?", name);
    }
  }

  private record Snapshots(Database writer, Database reader) implements SnapshotStore {

    @Override
    public Optional<Snapshot> load(StreamId stream, String schema) {
      String sql = "SELECT version, state FROM snapshots WHERE stream = ? AND schema = ?";
      Database.Row<Snapshot> row =
          r -> new Snapshot(stream, schema, r.getLong(1), Database.payload(r, 2));
      return reader.first(row, sql, stream, schema);
    }

    @Override
    public void save(Snapshot s) {
      String sql = "REPLACE INTO snapshots VALUES (?, ?, ?, ?)";
      writer.update(sql, s.stream(), s.schema(), s.version(), s.state());
    }

    @Override
    public void delete(StreamId stream) {
      writer.update("DELETE FROM snapshots WHERE stream = ?", stream);
    }
  }

  /** By the clock of the machine, which all processes on the file share. */
  private record Leases(Database writer, Database reader) implements LeaseStore {

    private static Lease lease(ResultSet r) throws SQLException {
      return new Lease(r.getString(1), r.getString(2), r.getLong(3), Database.time(r, 4));
    }

    @Override
    public Optional<Lease> acquire(String name, String owner, Duration duration) {
      String sql =
          "INSERT INTO leases VALUES (?1, ?2, 1, ?3) ON CONFLICT (name) DO UPDATE SET owner = ?2,"
              + " token = token + 1, expires = ?3 WHERE expires <= ?4 RETURNING *";
      return first(sql, now -> List.of(name, owner, now.plus(duration), now));
    }

    /** The clock is read when no other writer is waited for any more: that may take long. */
    private Optional<Lease> first(String sql, Function<Instant, List<Object>> values) {
      return writer.write(
          () -> writer.first(Leases::lease, sql, values.apply(Instant.now()).toArray()));
    }

    @Override
    public Lease renew(Lease lease, Duration duration) {
      return extend(lease, duration).orElseThrow(() -> new LeaseLostException(lease));
    }

    @Override
    public void release(Lease lease) {
      extend(lease, Duration.ZERO);
    }

    private Optional<Lease> extend(Lease lease, Duration duration) {
      String sql =
          "UPDATE leases SET expires = ?1 WHERE name = ?2 AND owner = ?3 AND token = ?4 AND expires"
              + " > ?5 RETURNING *";
      return first(
          sql, now -> List.of(now.plus(duration), lease.name(), lease.owner(), lease.token(), now));
    }

    @Override
    public List<Lease> list(String prefix) {
      String sql =
          "SELECT * FROM leases WHERE substr(name, 1, length(?1)) = ?1 AND expires > ?2 ORDER BY"
              + " name";
      return reader.query(Leases::lease, sql, prefix, Instant.now());
    }
  }
}
