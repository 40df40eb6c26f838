package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.StreamRange;
import dev.sluice.testservers.FlakyProxy;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.net.URI;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Connections that break under an append, before and after its commit, and a network that is away.
 */
class LostConnectionsTest {

  private static final StreamId STREAM = StreamId.of("account", "42");
  private static final int CONNECTIONS = 4;

  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private FlakyProxy proxy;
  private HikariDataSource pool;
  private JdbcStorage storage;

  @BeforeEach
  void connectThroughAProxy() {
    URI address = URI.create(database.url().substring("jdbc:".length()));
    proxy = FlakyProxy.to(address.getHost(), address.getPort());
    HikariConfig config = new HikariConfig();
    config.setDataSource(database.through(proxy).dataSource());
    config.setMaximumPoolSize(CONNECTIONS);
    config.setConnectionTimeout(2_000);
    pool = new HikariDataSource(config);
    storage = JdbcStorage.builder(pool).notifyAcrossProcesses(false).build();
    storage.eventStore().append(STREAM, ExpectedVersion.noStream(), List.of(Events.event(1)));
  }

  @AfterEach
  void disconnect() {
    storage.close();
    pool.close();
    proxy.close();
  }

  @Test
  void S6_aConnectionThatBreaksAfterTheCommitIsReportedAndTheRepetitionFindsTheFirstTry() {
    List<NewEvent> events = List.of(Events.event(1), Events.event(1));
    proxy.loseReplies();
    assertThatThrownBy(
            () -> storage.eventStore().append(STREAM, ExpectedVersion.exactly(1), events))
        .isInstanceOf(StoreUnavailableException.class)
        .hasMessageContaining("appending to account-42");
    proxy.heal();

    AppendResult repeated = storage.eventStore().append(STREAM, ExpectedVersion.exactly(1), events);

    assertThat(repeated.version()).isEqualTo(3);
    assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(3);
    assertThat(storage.outbox().count(Position.START)).isEqualTo(3);
  }

  @Test
  void S1_aConnectionThatIsKilledBeforeTheCommitLeavesNothing() throws Exception {
    List<NewEvent> events = List.of(Events.event(1));
    try (Connection blocker = database.dataSource().getConnection();
        ExecutorService executor = Executors.newSingleThreadExecutor()) {
      // Nobody can write to the table, so the append waits inside of its statement.
      blocker.setAutoCommit(false);
      execute(blocker, "lock table sluice.event in share mode");
      Future<AppendResult> append =
          executor.submit(
              () -> storage.eventStore().append(STREAM, ExpectedVersion.exactly(1), events));
      // It leaves the queue first, and then waits without a limit.
      terminate(waitingLongerThan(blocker, AppendQueue.LOCK_TIMEOUT_MILLIS));
      assertThatThrownBy(() -> append.get(20, TimeUnit.SECONDS))
          .hasCauseInstanceOf(StoreUnavailableException.class);
      blocker.rollback();
    }
    assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(1);
    storage.eventStore().append(STREAM, ExpectedVersion.exactly(1), events);
    assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(2);
  }

  @Test
  void S1_anAppendGoesOnByItselfWhenTheServerIsBack() {
    proxy.refuse();
    assertThatThrownBy(
            () ->
                storage
                    .eventStore()
                    .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0))))
        .isInstanceOf(StoreUnavailableException.class)
        .hasMessageContaining("check that the server runs");
    assertThatThrownBy(() -> storage.globalLog().status())
        .isInstanceOf(StoreUnavailableException.class);
    proxy.heal();

    appendOverAConnectionThatLives();

    assertThat(Events.readAll(storage.globalLog())).hasSize(2);
  }

  /** The pool learns of a broken connection by its use; each of them may fail one append. */
  private void appendOverAConnectionThatLives() {
    List<NewEvent> events = List.of(Events.event(0));
    for (int broken = 0; broken < CONNECTIONS; broken++) {
      try {
        storage.eventStore().append(STREAM, ExpectedVersion.exactly(1), events);
        return;
      } catch (StoreUnavailableException e) {
        // The next one.
      }
    }
    storage.eventStore().append(STREAM, ExpectedVersion.exactly(1), events);
  }

  /** The process id of a backend that has waited for a lock for so long. */
  private static int waitingLongerThan(Connection connection, int millis) throws SQLException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (System.nanoTime() < end) {
      try (Statement statement = connection.createStatement();
          ResultSet row =
              statement.executeQuery(
                  "select l.pid from pg_locks l where not l.granted and l.relation ="
                      + " 'sluice.event'::regclass and clock_timestamp() - l.waitstart > interval '"
                      + 2 * millis
                      + " milliseconds'")) {
        if (row.next()) {
          return row.getInt(1);
        }
      }
      LockSupport.parkNanos(1_000_000);
    }
    throw new AssertionError("no append waits");
  }

  private void terminate(int pid) throws SQLException {
    try (Connection connection = database.dataSource().getConnection()) {
      execute(connection, "select pg_terminate_backend(" + pid + ", 10000)");
    }
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }
}
