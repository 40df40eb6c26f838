package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Position;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * An append that has read the sequence, and announces what it has read only when others have been
 * stored and read meanwhile.
 */
class HorizonTest {

  private static final StreamId STREAM = StreamId.of("account", "42");

  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private HikariDataSource pool;
  private JdbcStorage storage;
  private Connection slow;
  private long lastNumber;

  @BeforeEach
  void beginAnAppend() throws SQLException {
    pool = PostgresFixture.pool(database, 4);
    storage = JdbcStorage.builder(pool).notifyAcrossProcesses(false).build();
    append();
    slow = database.dataSource().getConnection();
    slow.setAutoCommit(false);
    try (Statement statement = slow.createStatement();
        ResultSet row =
            statement.executeQuery("select pg_sequence_last_value('sluice.commit_number')")) {
      row.next();
      lastNumber = row.getLong(1);
    }
  }

  @AfterEach
  void close() throws SQLException {
    slow.close();
    storage.close();
    pool.close();
  }

  @Test
  void G2_whatTheLogHasShownItShowsAgain() throws Exception {
    append();
    append();
    Position head = read(EventFilter.ALL).next();

    announce();

    assertThat(storage.globalLog().status().heldBackBy()).isPresent();
    for (EventFilter filter : List.of(EventFilter.ALL, EventFilter.types("opened"))) {
      assertThat(read(filter).events()).hasSize(3);
      assertThat(read(filter).next()).isEqualTo(head);
      assertThat(storage.globalLog().count(Position.START, filter)).isEqualTo(3);
    }
    assertThat(storage.globalLog().read(head, EventFilter.ALL, 10).next()).isEqualTo(head);
    assertThat(storage.globalLog().status().head()).isEqualTo(head);
    assertThat(storage.outbox().count(Position.START)).isEqualTo(6);
  }

  @Test
  void G2_whatTheOutboxHasShownItShowsAgain() throws Exception {
    append();
    List<OutboxMessage> all = storage.outbox().read(Position.START, 10);

    announce();

    assertThat(storage.outbox().read(Position.START, 10)).hasSize(4).isEqualTo(all);
    assertThat(storage.outbox().head()).isEqualTo(all.getLast().position());
  }

  @Test
  void G2_theHeadOfTheOutboxDoesNotGoBack() throws Exception {
    append();
    Position head = storage.outbox().head();

    announce();

    assertThat(storage.outbox().head()).isEqualTo(head);
    assertThat(storage.outbox().read(Position.START, 10)).hasSize(4);
  }

  @Test
  void G4_whatWasNotShownBeforeStaysHidden() throws Exception {
    append();
    announce();
    append();

    assertThat(read(EventFilter.ALL).events()).hasSize(1);
    assertThat(storage.outbox().read(Position.START, 10)).hasSize(2);
    slow.rollback();
    assertThat(read(EventFilter.ALL).events()).hasSize(3);
  }

  private void append() {
    storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(2)));
  }

  private LogPage read(EventFilter filter) {
    return storage.globalLog().read(Position.START, filter, 10);
  }

  /** As the append's statement does it, only later. */
  private void announce() throws SQLException {
    try (Statement statement = slow.createStatement()) {
      statement.execute(
          "select pg_advisory_xact_lock_shared("
              + new Sql("sluice").get("lock-class")
              + ", "
              + lastNumber
              + ")");
    }
  }
}
