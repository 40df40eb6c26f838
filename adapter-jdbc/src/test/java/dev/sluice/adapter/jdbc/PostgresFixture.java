package dev.sluice.adapter.jdbc;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.Storage;
import dev.sluice.tck.CallerTransaction;
import dev.sluice.tck.Capability;
import dev.sluice.tck.HeldAppend;
import dev.sluice.tck.StorageFixture;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/** A schema of its own for each test, in one database, over one pool. */
final class PostgresFixture implements StorageFixture {

  private static final AtomicInteger COUNT = new AtomicInteger();
  private static final PostgresDatabase DATABASE = PostgresServer.shared().newDatabase();
  private static final HikariDataSource POOL = pool(DATABASE, 40);

  private final String schema = "store_" + COUNT.incrementAndGet();
  private final JdbcStorage storage = JdbcStorage.builder(POOL).schema(schema).build();
  private final Queue<Connection> opened = new ConcurrentLinkedQueue<>();

  static HikariDataSource pool(PostgresDatabase database, int size) {
    HikariConfig config = new HikariConfig();
    config.setDataSource(database.dataSource());
    config.setMaximumPoolSize(size);
    config.setMinimumIdle(1);
    config.setConnectionTimeout(10_000);
    return new HikariDataSource(config);
  }

  @Override
  public String adapter() {
    return "sluice-adapter-jdbc";
  }

  @Override
  public Set<Capability> capabilities() {
    return Set.of(
        Capability.PARALLEL_APPENDS, Capability.CALLER_TRANSACTIONS, Capability.LARGE_APPENDS);
  }

  @Override
  public Storage open() {
    return JdbcStorage.builder(POOL).schema(schema).build();
  }

  @Override
  public HeldAppend hold(Append append) {
    try {
      Connection connection = begin();
      AppendResult result = storage.join(connection).eventStore().append(append);
      return new Held(connection, result);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public CallerTransaction beginTransaction() {
    try {
      execute("create table if not exists " + schema + ".own (id bigint)");
      return new Joined(begin());
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    storage.close();
    try {
      for (Connection connection : opened) {
        connection.close();
      }
      execute("drop schema " + schema + " cascade");
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private Connection begin() throws SQLException {
    Connection connection = DATABASE.dataSource().getConnection();
    opened.add(connection);
    connection.setAutoCommit(false);
    return connection;
  }

  private static void execute(String sql) throws SQLException {
    try (Connection connection = POOL.getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static final class Held implements HeldAppend {

    private final Connection connection;
    private final AppendResult result;
    private final int pid;

    Held(Connection connection, AppendResult result) throws SQLException {
      this.connection = connection;
      this.result = result;
      try (Statement statement = connection.createStatement();
          ResultSet row = statement.executeQuery("select pg_backend_pid()")) {
        row.next();
        pid = row.getInt(1);
      }
    }

    @Override
    public AppendResult commit() {
      end(Connection::commit);
      return result;
    }

    @Override
    public void rollBack() {
      end(Connection::rollback);
    }

    @Override
    public void kill() {
      try {
        execute("select pg_terminate_backend(" + pid + ", 10000)");
      } catch (SQLException e) {
        throw new IllegalStateException(e);
      }
    }

    private void end(End end) {
      try (connection) {
        end.run(connection);
      } catch (SQLException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private interface End {
    void run(Connection connection) throws SQLException;
  }

  private final class Joined implements CallerTransaction {

    private final Connection connection;
    private final JdbcTransaction transaction;

    Joined(Connection connection) {
      this.connection = connection;
      this.transaction = storage.join(connection);
    }

    @Override
    public EventStore eventStore() {
      return transaction.eventStore();
    }

    @Override
    public CheckpointStore checkpoints() {
      return transaction.checkpoints();
    }

    @Override
    public void writeSomethingElse() {
      transaction.handle().execute("insert into " + schema + ".own values (1)");
    }

    @Override
    public void commit() {
      end(Connection::commit);
    }

    @Override
    public void rollBack() {
      end(Connection::rollback);
    }

    @Override
    public void close() {
      end(
          open -> {
            if (!open.isClosed()) {
              open.rollback();
              open.close();
            }
          });
    }

    private void end(End end) {
      try {
        end.run(connection);
      } catch (SQLException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
