package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Registration;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

/** Hints from one process to the others. */
@Timeout(60)
class WakeUpsTest {

  private static final int APPENDS = 500;

  private final PostgresDatabase database = PostgresServer.shared().newDatabase();

  @Test
  void appendsShareTheirNotifications() throws Exception {
    Semaphore hints = new Semaphore(0);
    try (HikariDataSource pool = PostgresFixture.pool(database, 4);
        JdbcStorage writer = JdbcStorage.create(pool);
        JdbcStorage reader = JdbcStorage.create(database.dataSource());
        Connection spy = database.dataSource().getConnection()) {
      listen(spy);
      Registration registration = reader.globalLog().onAppend(hints::release);
      // Its first hint from another process: the writer has seen by now that somebody listens.
      while (notifications(spy, 1) == 0) {
        append(writer);
      }
      long begin = System.nanoTime();
      for (int i = 0; i < APPENDS; i++) {
        append(writer);
      }
      int sent = 0;
      for (int more = 1; more > 0; more = notifications(spy, 500)) {
        sent += more;
      }
      long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
      assertThat(sent).as("in %s ms", millis).isBetween(2, (int) (millis / 2) + 3);

      // All is quiet now, so that the next hint is that of the next append.
      hints.drainPermits();
      append(writer);
      assertThat(hints.tryAcquire(30, TimeUnit.SECONDS)).as("a single one is told of").isTrue();
      registration.close();
    }
  }

  private static void append(JdbcStorage storage) {
    storage
        .eventStore()
        .append(StreamId.of("account", "1"), ExpectedVersion.any(), List.of(Events.event(0)));
  }

  private static void listen(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("listen sluice_sluice");
    }
  }

  private static int notifications(Connection connection, int millis) throws SQLException {
    PGNotification[] received = connection.unwrap(PGConnection.class).getNotifications(millis);
    return received == null ? 0 : received.length;
  }
}
