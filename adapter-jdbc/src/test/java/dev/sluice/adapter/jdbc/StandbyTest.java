package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Position;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.testservers.OwnedPostgres;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A server that comes back as a standby, and is promoted later, or without the last commits. */
class StandbyTest {

  private static final StreamId STREAM = StreamId.of("account", "42");

  /** After a crash a sequence goes on up to 32 numbers further than it was. */
  private static final int LOST = 100;

  private OwnedPostgres server;
  private HikariDataSource pool;
  private JdbcStorage storage;

  @BeforeEach
  void startWithAnEvent() {
    server = OwnedPostgres.start();
    pool = PostgresFixture.pool(server.newDatabase(), 4);
    storage = JdbcStorage.create(pool);
    append();
  }

  @AfterEach
  void close() {
    storage.close();
    pool.close();
    server.close();
  }

  @Test
  void G2_aStandbyIsRefusedUntilItIsThePrimary() throws Exception {
    server.kill();
    server.restartAsStandby();

    assertThatThrownBy(() -> JdbcStorage.create(pool))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("this server is a standby");
    assertThatThrownBy(() -> append())
        .isInstanceOf(StoreUnavailableException.class)
        .hasMessageContaining("targetServerType=primary");
    assertThatThrownBy(() -> storage.globalLog().read(Position.START, EventFilter.ALL, 1))
        .isInstanceOf(StoreUnavailableException.class)
        .hasMessageContaining("targetServerType=primary");
    assertThat(Doctor.examine(pool, "sluice").problems())
        .anyMatch(problem -> problem.contains("this server is a standby"));

    try (Connection connection = pool.getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute("select pg_promote()");
    }
    append();
    assertThat(Events.readAll(storage.globalLog())).hasSize(2);
  }

  @Test
  void G2_aServerWithoutTheLastCommitsIsNoticedByWhoHasReadThem() throws Exception {
    server.kill();
    server.backUp();
    server.restart();
    for (int lost = 0; lost < LOST; lost++) {
      append();
    }
    Position head = Events.readAll(storage.globalLog()).getLast().position();
    server.kill();
    server.restore();
    server.restart();

    // Nothing is behind the head: such a reader seldom asks for more than rows.
    assertThatThrownBy(() -> readUntilItIsRefused(head))
        .hasMessageContaining("the store has lost events")
        .hasMessageContaining("started again");
    // Also when other events stand where the lost ones were.
    for (int again = 0; again < 2 * LOST; again++) {
      append();
    }
    assertThatThrownBy(() -> storage.outbox().read(Position.START, 1))
        .isInstanceOf(StoreRefusedException.class);
    assertThatThrownBy(() -> storage.globalLog().read(head, EventFilter.ALL, 1))
        .isInstanceOf(StoreRefusedException.class);
    try (JdbcStorage restarted = JdbcStorage.create(pool)) {
      assertThat(Events.readAll(restarted.globalLog())).hasSize(1 + 2 * LOST);
    }
  }

  private void readUntilItIsRefused(Position head) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (System.nanoTime() < end) {
      try {
        assertThat(storage.globalLog().read(head, EventFilter.ALL, 10).events()).isEmpty();
      } catch (StoreUnavailableException e) {
        // A connection to the server that was killed.
      }
    }
  }

  private void append() {
    storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(1)));
  }
}
