package dev.sluice.adapter.jdbc;

import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The horizon: the position up to which everything that will ever be there is visible; the proof
 * stands in {@code sql/append.sql}.
 *
 * <p>What is kept of it is the position of the last event below it, the head. It only moves up, so
 * whoever reads up to it needs to ask nobody. The horizon itself would not do: it comes from the
 * sequence, and after a crash of the server numbers between the head and it may be drawn again.
 *
 * <p>Events are lost where a standby takes over that has not got the last commits, where a backup
 * is restored, or the sequence is set back. Then places that readers of this process have passed
 * are filled again. So when the sequence is found below the head, nothing more is read until the
 * process is started anew and goes on from its checkpoints, which the store has lost as well.
 */
final class Horizon {

  /** So often who finds nothing new asks, to see a sequence that was set back. */
  private static final long ASK_NANOS = 1_000_000_000L;

  private final EventKinds kinds;
  private final String ask;
  private final String head;
  private volatile long known;

  /** The last position that a reader has been given, of an event or a message. */
  private volatile long shown;

  private volatile boolean behind;
  private volatile long askedAt = System.nanoTime();

  Horizon(Database database, EventKinds kinds) {
    this.kinds = kinds;
    this.ask = database.sql().get("horizon");
    this.head =
        database.sql().get("log-head", Map.of("until", database.sql().get("horizon-position")));
  }

  /** The last head that this process has seen. All kinds of events up to it are known. */
  long known() {
    return known;
  }

  /** Whether it is long ago that the horizon was asked for. */
  boolean isDue() {
    return System.nanoTime() - askedAt > ASK_NANOS;
  }

  /** The head of now. */
  long head(Connection connection) throws SQLException {
    return run(
        connection,
        head,
        (statement, first) -> {},
        results -> reach(results.getFirst(), connection));
  }

  /**
   * Asks for the horizon of now and, in the same round trip, reads up to it.
   *
   * @param query one statement, which reads up to {@code horizon-position}
   */
  <T> T ask(Connection connection, String query, Binder binder, Reader<T> reader)
      throws SQLException {
    return run(connection, query, binder, results -> reader.read(results.getFirst()));
  }

  /** The same, which also finds the head, and then knows it and all kinds up to it. */
  <T> T askWithHead(Connection connection, String query, Binder binder, HeadReader<T> reader)
      throws SQLException {
    return run(
        connection,
        query + ";\n" + head,
        binder,
        results -> reader.read(results.getFirst(), reach(results.getLast(), connection)));
  }

  private <T> T run(Connection connection, String query, Binder binder, Results<T> reader)
      throws SQLException {
    long before = shown;
    try (PreparedStatement statement = connection.prepareStatement(ask + "\n" + query)) {
      // With one row of a commit all of them are final.
      statement.setLong(1, before | 0xFFFF);
      binder.bind(statement, 2);
      statement.execute();
      try (ResultSet row = statement.getResultSet()) {
        row.next();
        if (!row.getString(2).equals("read committed")) {
          throw new StoreRefusedException(
              "this data source runs its transactions at "
                  + row.getString(2)
                  + ", where a reader can miss events; set default_transaction_isolation, or the"
                  + " pool's, to read committed");
        }
        if (row.getBoolean(3)) {
          throw new StoreUnavailableException(
              "PostgreSQL: this connection leads to a standby, where the locks of open appends are"
                  + " not seen; point the data source at the primary (targetServerType=primary)",
              new SQLException("the server is in recovery"));
        }
        askedAt = System.nanoTime();
        if (row.getLong(4) < commitNumber(before)) {
          behind = true;
        }
      }
      requireAllThere();
      List<ResultSet> results = new ArrayList<>();
      while (statement.getMoreResults(java.sql.Statement.KEEP_CURRENT_RESULT)) {
        results.add(statement.getResultSet());
      }
      return reader.read(results);
    }
  }

  private void requireAllThere() {
    if (behind) {
      throw new StoreRefusedException(
          "PostgreSQL: the store has lost events that this process has read, up to commit "
              + commitNumber(shown)
              + ": a server took over without the last commits, a backup was restored, or the"
              + " sequence commit_number was set back. Nothing is read until this service is"
              + " started again; restart all that use the store, and look at what they had sent or"
              + " shown of it");
    }
  }

  static long commitNumber(long position) {
    return position >> 16;
  }

  /** Whoever sees the new head must know all kinds up to it. */
  private long reach(ResultSet row, Connection connection) throws SQLException {
    row.next();
    if (row.getLong(2) > kinds.known().kinds().size()) {
      kinds.reload(connection);
    }
    long reached = row.getLong(1);
    raise(reached);
    return reached;
  }

  /**
   * Only reads, without asking for the horizon: up to the head that is known, or what proves itself
   * to be final.
   */
  <T> T justRead(Connection connection, String query, Binder binder, Reader<T> reader)
      throws SQLException {
    requireAllThere();
    try (PreparedStatement statement = connection.prepareStatement(query)) {
      binder.bind(statement, 1);
      try (ResultSet rows = statement.executeQuery()) {
        return reader.read(rows);
      }
    }
  }

  /** The only number of the only row. */
  static long number(ResultSet row) throws SQLException {
    row.next();
    return row.getLong(1);
  }

  /** Notes a head up to which everything is final, and of a known kind. */
  synchronized void raise(long head) {
    known = Math.max(known, head);
    show(head);
  }

  /** Notes a final position that a reader is given. */
  synchronized void show(long position) {
    shown = Math.max(shown, position);
  }

  /** Sets the parameters of a query, which begin at a number. */
  interface Binder {
    void bind(PreparedStatement statement, int first) throws SQLException;
  }

  /** Reads the result of a query. */
  interface Reader<T extends @Nullable Object> {
    T read(ResultSet rows) throws SQLException;
  }

  /** Reads the result of a query, with the head of the log. */
  interface HeadReader<T extends @Nullable Object> {
    T read(ResultSet rows, long head) throws SQLException;
  }

  private interface Results<T extends @Nullable Object> {
    T read(List<ResultSet> results) throws SQLException;
  }
}
