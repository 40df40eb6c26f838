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
import dev.sluice.testservers.PostgresDatabase;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A server that comes back as a standby, and is promoted later. */
class StandbyTest {

  private static final StreamId STREAM = StreamId.of("account", "42");

  @Test
  void G2_aStandbyIsRefusedUntilItIsThePrimary() throws Exception {
    try (OwnedPostgres server = OwnedPostgres.start()) {
      PostgresDatabase database = server.newDatabase();
      try (HikariDataSource pool = PostgresFixture.pool(database, 4);
          JdbcStorage storage = JdbcStorage.create(pool)) {
        append(storage);
        server.kill();
        server.restartAsStandby();

        assertThatThrownBy(() -> JdbcStorage.create(pool))
            .isInstanceOf(StoreRefusedException.class)
            .hasMessageContaining("this server is a standby");
        assertThatThrownBy(() -> append(storage))
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
        append(storage);
        assertThat(Events.readAll(storage.globalLog())).hasSize(2);
      }
    }
  }

  private static void append(JdbcStorage storage) {
    storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(1)));
  }
}
