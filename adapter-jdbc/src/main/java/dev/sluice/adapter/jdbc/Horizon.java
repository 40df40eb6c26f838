package dev.sluice.adapter.jdbc;

import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The horizon: the position up to which everything that will ever be there is visible; the proof
 * stands in {@code sql/append.sql}. It only moves up, so what was learnt stays true, and whoever
 * reads below it needs to ask nobody.
 */
final class Horizon {

  private final Database database;
  private final EventKinds kinds;
  private final String statements;
  private volatile long known;

  Horizon(Database database, EventKinds kinds) {
    this.database = database;
    this.kinds = kinds;
    this.statements = database.sql().get("horizon");
  }

  /** The last horizon that this process has seen. All kinds of events below are known. */
  long known() {
    return known;
  }

  /**
   * Asks for the horizon of now and, in the same round trip, reads up to it.
   *
   * @param query reads up to {@code {until}}; its parts are filled in here
   */
  <T> T read(Connection connection, String query, Binder binder, Reader<T> reader)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(statements + "\n" + query)) {
      binder.bind(statement);
      statement.execute();
      statement.getMoreResults();
      long horizon;
      long kindCount;
      try (ResultSet row = statement.getResultSet()) {
        row.next();
        horizon = row.getLong(1);
        kindCount = row.getLong(2);
        if (!row.getString(3).equals("read committed")) {
          throw new StoreRefusedException(
              "this data source runs its transactions at "
                  + row.getString(3)
                  + ", where a reader can miss events; set default_transaction_isolation, or the"
                  + " pool's, to read committed");
        }
        if (row.getBoolean(4)) {
          throw new StoreUnavailableException(
              "PostgreSQL: this connection leads to a standby, where the locks of open appends are"
                  + " not seen; point the data source at the primary (targetServerType=primary)",
              new SQLException("the server is in recovery"));
        }
      }
      if (kindCount > kinds.known().kinds().size()) {
        kinds.reload(connection);
      }
      List<ResultSet> results = new ArrayList<>();
      while (statement.getMoreResults(java.sql.Statement.KEEP_CURRENT_RESULT)) {
        results.add(statement.getResultSet());
      }
      T read = reader.read(results, horizon);
      // Only now: whoever sees the new horizon must know all kinds below it.
      raise(horizon);
      return read;
    }
  }

  /** Reads up to the horizon that is known, without asking for a newer one. */
  <T> T readKnown(Connection connection, String query, Binder binder, Reader<T> reader)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(query)) {
      binder.bind(statement);
      try (ResultSet rows = statement.executeQuery()) {
        return reader.read(List.of(rows), known);
      }
    }
  }

  private synchronized void raise(long horizon) {
    known = Math.max(known, horizon);
  }

  Database database() {
    return database;
  }

  /** Sets the parameters of a query. */
  interface Binder {
    void bind(PreparedStatement statement) throws SQLException;
  }

  /** Reads the results of a query's statements. */
  interface Reader<T extends @Nullable Object> {
    T read(List<ResultSet> results, long horizon) throws SQLException;
  }
}
