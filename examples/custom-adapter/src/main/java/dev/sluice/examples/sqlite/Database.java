package dev.sluice.examples.sqlite;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Storage;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.sqlite.BusyHandler;

/** One connection to the file, used by one thread at a time, and what JDBC makes long-winded. */
final class Database implements AutoCloseable {

  // WAL: readers go on while somebody writes. FULL: a commit is on the disk when it returns.
  private static final String SETTINGS = "?journal_mode=WAL&synchronous=FULL";

  /** Looks often: by itself SQLite does each 100 ms, too seldom beside a writer without pauses. */
  private static final BusyHandler WAIT_30_SECONDS =
      new BusyHandler() {
        @Override
        protected int callback(int looks) {
          LockSupport.parkNanos(1_000_000);
          return looks < 30_000 ? 1 : 0;
        }
      };

  private final Path file;
  private final Connection connection;

  Database(Path file) {
    this.file = file;
    try {
      connection = DriverManager.getConnection("jdbc:sqlite:" + file + SETTINGS);
      BusyHandler.setHandler(connection, WAIT_30_SECONDS);
    } catch (SQLException e) {
      throw unavailable(e);
    }
  }

  /** Makes a value of a row. */
  interface Row<T> {
    T of(ResultSet row) throws SQLException;
  }

  /** Runs in a transaction that waits for every other writer first, and so sees what they did. */
  synchronized <T> T write(Supplier<T> work) {
    update("BEGIN IMMEDIATE");
    try {
      T result = work.get();
      update("COMMIT");
      return result;
    } catch (RuntimeException e) {
      try {
        update("ROLLBACK");
      } catch (StoreUnavailableException alreadyEnded) {
        e.addSuppressed(alreadyEnded);
      }
      throw e;
    }
  }

  /** Runs a statement, and returns the rows that it returns, if any. */
  synchronized <T> List<T> query(Row<T> row, String sql, @Nullable Object... values) {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) {
        statement.setObject(i + 1, column(values[i]));
      }
      List<T> all = new ArrayList<>();
      if (statement.execute()) {
        ResultSet rows = statement.getResultSet();
        while (rows.next()) {
          all.add(row.of(rows));
        }
      }
      return all;
    } catch (SQLException e) {
      throw unavailable(e);
    }
  }

  void update(String sql, @Nullable Object... values) {
    query(row -> row, sql, values);
  }

  <T> Optional<T> first(Row<T> row, String sql, Object... values) {
    return query(row, sql, values).stream().findFirst();
  }

  long number(String sql, Object... values) {
    return query(row -> row.getLong(1), sql, values).getFirst();
  }

  /** How our values look in a column. */
  private static @Nullable Object column(@Nullable Object value) {
    return switch (value) {
      case Payload payload -> payload.toBytes();
      case Position position -> position.value();
      case StreamId stream -> stream.toString();
      case UUID id -> id.toString();
      case Instant time -> ChronoUnit.MICROS.between(Instant.EPOCH, time);
      // The driver hands text over as UTF-8 that ends at NUL: refuse what would not come back.
      case String text -> Storage.checkedText(() -> "a type, key, name or other text", text);
      case Optional<?> maybe -> column(maybe.orElse(null));
      case null, default -> value;
    };
  }

  static Payload payload(ResultSet row, int column) throws SQLException {
    byte[] bytes = row.getBytes(column);
    return bytes == null ? Payload.EMPTY : Payload.of(bytes);
  }

  static Instant time(ResultSet row, int column) throws SQLException {
    return Instant.EPOCH.plus(row.getLong(column), ChronoUnit.MICROS);
  }

  private StoreUnavailableException unavailable(SQLException e) {
    String next = "; check that it is open, writable, and not locked for long by another program";
    return new StoreUnavailableException(
        "the SQLite file " + file + " can't be used: " + e.getMessage() + next, e);
  }

  @Override
  public synchronized void close() {
    try {
      connection.close();
    } catch (SQLException e) {
      throw unavailable(e);
    }
  }
}
