package dev.sluice.adapter.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.JdbiException;
import org.jspecify.annotations.Nullable;

/** A data source, the statements of one schema, and one place that translates exceptions. */
final class Database {

  private final DataSource dataSource;
  private final Jdbi jdbi;
  private final String schema;
  private final Sql sql;
  private volatile boolean closed;

  Database(DataSource dataSource, String schema) {
    this.dataSource = dataSource;
    this.schema = schema;
    this.jdbi = Jdbi.create(this::open);
    this.sql = new Sql(schema);
  }

  Sql sql() {
    return sql;
  }

  String schema() {
    return schema;
  }

  /**
   * A handle of its own. JDBI's {@code withHandle} and {@code inTransaction} would give a thread
   * that is in a transaction the handle of that, so that what is durable on return could be rolled
   * back, and what was rolled back could be committed.
   */
  Handle openHandle() {
    return jdbi.open();
  }

  /** A connection in autocommit mode, whatever the pool's default is. */
  Connection open() throws SQLException {
    checkOpen();
    Connection connection = dataSource.getConnection();
    try {
      if (!connection.getAutoCommit()) {
        connection.setAutoCommit(true);
      }
      return connection;
    } catch (SQLException e) {
      connection.close();
      throw e;
    }
  }

  void checkOpen() {
    if (closed) {
      throw new IllegalStateException("this JdbcStorage is closed; create another one");
    }
  }

  void close() {
    closed = true;
  }

  /** Runs something on a connection of its own. */
  <T extends @Nullable Object> T call(String doing, ConnectionWork<T> work) {
    try (Connection connection = open()) {
      return work.run(connection);
    } catch (SQLException e) {
      throw Failures.translate(doing, e, e);
    }
  }

  /** Runs something with JDBI, each statement in a transaction of its own. */
  HandleSource handles() {
    return new HandleSource() {
      @Override
      public <T extends @Nullable Object> T call(String doing, HandleWork<T> work) {
        return translating(
            doing,
            () -> {
              try (Handle handle = openHandle()) {
                return work.run(handle);
              }
            });
      }
    };
  }

  /** Runs something with JDBI on a handle that somebody else opened. */
  static HandleSource joined(Handle handle) {
    return new HandleSource() {
      @Override
      public <T extends @Nullable Object> T call(String doing, HandleWork<T> work) {
        return translating(doing, () -> work.run(handle));
      }
    };
  }

  static <T extends @Nullable Object> T translating(String doing, Work<T> work) {
    try {
      return work.run();
    } catch (SQLException e) {
      throw Failures.translate(doing, e, e);
    } catch (JdbiException e) {
      SQLException cause = Failures.sqlCause(e);
      throw cause == null ? e : Failures.translate(doing, cause, cause);
    }
  }

  interface Work<T extends @Nullable Object> {
    T run() throws SQLException;
  }

  interface ConnectionWork<T extends @Nullable Object> {
    T run(Connection connection) throws SQLException;
  }

  interface HandleWork<T extends @Nullable Object> {
    T run(Handle handle) throws SQLException;
  }

  /** Where a port gets its JDBI handle from: the pool, or a caller's transaction. */
  interface HandleSource {
    <T extends @Nullable Object> T call(String doing, HandleWork<T> work);
  }
}
