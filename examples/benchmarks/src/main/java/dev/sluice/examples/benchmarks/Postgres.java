package dev.sluice.examples.benchmarks;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.testservers.OwnedPostgres;
import dev.sluice.testservers.PostgresDatabase;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * A server with fsync on, one pool for both sides, and two schemas with the same tables and
 * indexes: {@code sluice}, and {@code by_hand} for the baseline.
 */
final class Postgres implements AutoCloseable {

  static final String BY_HAND = "by_hand";

  private final OwnedPostgres server;
  private final PostgresDatabase database;
  private final HikariDataSource pool;
  private final JdbcStorage storage;

  private Postgres(OwnedPostgres server, PostgresDatabase database, HikariDataSource pool) {
    this.server = server;
    this.database = database;
    this.pool = pool;
    this.storage = JdbcStorage.create(pool);
    JdbcStorage.builder(pool).schema(BY_HAND).notifyAcrossProcesses(false).build().close();
  }

  static Postgres start(int threads, Report report) throws SQLException {
    OwnedPostgres server = OwnedPostgres.start();
    PostgresDatabase database = server.newDatabase();
    HikariConfig config = new HikariConfig();
    config.setDataSource(database.dataSource());
    config.setMaximumPoolSize(threads + 2);
    Postgres postgres = new Postgres(server, database, new HikariDataSource(config));
    try (Connection connection = postgres.connection();
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "select current_setting('server_version'), current_setting('fsync'),"
                    + " current_setting('synchronous_commit'),"
                    + " current_setting('shared_buffers')")) {
      row.next();
      report.server(
          "PostgreSQL %s, fsync %s, synchronous_commit %s, shared_buffers %s, pool of %d connections"
              .formatted(
                  row.getString(1),
                  row.getString(2),
                  row.getString(3),
                  row.getString(4),
                  threads + 2));
    }
    return postgres;
  }

  JdbcStorage storage() {
    return storage;
  }

  /** One more store on the same server and pool. */
  JdbcStorage storage(String schema) {
    return JdbcStorage.builder(pool).schema(schema).build();
  }

  /** For other processes. */
  PostgresDatabase database() {
    return database;
  }

  Connection connection() throws SQLException {
    return pool.getConnection();
  }

  void execute(String sql) throws SQLException {
    try (Connection connection = connection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  @Override
  public void close() {
    storage.close();
    pool.close();
    server.close();
  }
}
