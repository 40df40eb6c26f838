package dev.sluice.examples.sqlite;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreUnavailableException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One connection to the file, for one thread at a time, and what JDBC makes long-winded. In WAL
 * mode readers go on while somebody writes; the one writer is whoever has begun IMMEDIATE.
 */
final class Database implements AutoCloseable {

  private static final int WAIT_MILLIS = 30_000;

  private final Path file;
  private final Connection connection;

  Database(Path file) {
    this.file = file;
    try {
      connection = DriverManager.getConnection("jdbc:sqlite:" + file);
      execute("PRAGMA busy_timeout = " + WAIT_MILLIS);
      execute("PRAGMA journal_mode = WAL");
      // A commit is on the disk when it returns; NORMAL would lose the last ones with the power.
      execute("PRAGMA synchronous = FULL");
    } catch (SQLException e) {
      throw unavailable(e);
    }
  }

  interface Work<T> {
    T run() throws SQLException;
  }

  interface Row<T> {
    T of(ResultSet row) throws SQLException;
  }

  /** Runs what only reads. */
  synchronized <T> T read(Work<T> work) {
    try {
      return work.run();
    } catch (SQLException e) {
      throw unavailable(e);
    }
  }

  /** Runs in a transaction that waits for every other writer first: so it sees what they did. */
  synchronized <T> T write(Work<T> work) {
    begin();
    try {
      T result = work.run();
      execute("COMMIT");
      return result;
    } catch (SQLException e) {
      rollBack();
      throw unavailable(e);
    } catch (RuntimeException e) {
      rollBack();
      throw e;
    }
  }

  void begin() {
    try {
      execute("BEGIN IMMEDIATE");
    } catch (SQLException e) {
      throw unavailable(e);
    }
  }

  void commit() {
    try {
      execute("COMMIT");
    } catch (SQLException e) {
      throw unavailable(e);
    }
  }

  void rollBack() {
    try {
      execute("ROLLBACK");
    } catch (SQLException e) {
      // The transaction has ended already, or the connection is gone and with it the transaction.
    }
  }

  private void execute(String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  PreparedStatement prepare(String sql) throws SQLException {
    return connection.prepareStatement(sql);
  }

  int update(String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = prepare(sql)) {
      return bind(statement, values).executeUpdate();
    }
  }

  <T> List<T> query(Row<T> row, String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = prepare(sql)) {
      return query(row, bind(statement, values));
    }
  }

  <T> List<T> query(Row<T> row, PreparedStatement statement) throws SQLException {
    List<T> all = new ArrayList<>();
    try (ResultSet rows = statement.executeQuery()) {
      while (rows.next()) {
        all.add(row.of(rows));
      }
    }
    return all;
  }

  <T> Optional<T> first(Row<T> row, String sql, Object... values) throws SQLException {
    return query(row, sql, values).stream().findFirst();
  }

  long number(String sql, Object... values) throws SQLException {
    return query(row -> row.getLong(1), sql, values).getFirst();
  }

  static PreparedStatement bind(PreparedStatement statement, Object... values) throws SQLException {
    int index = 1;
    for (Object value : values) {
      statement.setObject(index++, column(value));
    }
    return statement;
  }

  /** How our values look in a column. */
  private static @Nullable Object column(Object value) {
    return switch (value) {
      case Payload payload -> payload.toBytes();
      case Position position -> position.value();
      case UUID id -> id.toString();
      case Instant time -> ChronoUnit.MICROS.between(Instant.EPOCH, time);
      case Optional<?> optional -> optional.map(Database::column).orElse(null);
      case String text -> checked(text);
      default -> value;
    };
  }

  /** The driver hands text over as UTF-8 that ends at NUL: refuse what would not come back. */
  private static String checked(String text) {
    if (text.indexOf(0) >= 0 || !StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
      throw new NotStorableException(
          "SQLite text can't hold NUL or half a surrogate pair; remove it from one of "
              + text.length()
              + " chars");
    }
    return text;
  }

  static Payload payload(ResultSet row, String column) throws SQLException {
    byte[] bytes = row.getBytes(column);
    return bytes == null ? Payload.EMPTY : Payload.of(bytes);
  }

  static Instant time(ResultSet row, String column) throws SQLException {
    return Instant.EPOCH.plus(row.getLong(column), ChronoUnit.MICROS);
  }

  private SluiceException unavailable(SQLException e) {
    return new StoreUnavailableException(
        "the SQLite file "
            + file
            + " can't be used: "
            + e.getMessage()
            + "; check that it is open, writable, and not locked for long by another program",
        e);
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
