package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.testservers.PostgresServer;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The README's way to partitions, under a service that runs. */
class PartitionsTest {

  private static final StreamId STREAM = StreamId.of("account", "42");
  private static final long CUT = 10_000_000;

  private HikariDataSource pool;
  private JdbcStorage storage;

  @BeforeEach
  void open() {
    pool = PostgresFixture.pool(PostgresServer.shared().newDatabase(), 4);
    storage = JdbcStorage.create(pool);
    append(Events.event(1), Events.event(1));
  }

  @AfterEach
  void close() {
    storage.close();
    pool.close();
  }

  @Test
  void O5_theOutboxGoesOnInPartitionsAndOldOnesAreDropped() throws Exception {
    execute(Readme.sql("begin;\nlock table sluice.outbox"));
    append(Events.event(1));
    drawUpTo(CUT);
    Position beyond = append(Events.event(1)).position();
    assertThat(beyond.value() >> 16).isGreaterThan(CUT);
    assertThat(storage.outbox().read(Position.START, 10)).hasSize(4);
    Checkpoint first = Checkpoint.first("relay/a", Position.START, Payload.EMPTY, 0);
    storage.checkpoints().save(first);
    storage.checkpoints().save(first.next(new Position(CUT << 16), Payload.EMPTY, 0));

    assertThat(storage.outbox().prune(1)).isEqualTo(1);
    execute(Readme.sql("begin;\nupdate sluice.outbox_pruned"));

    assertThat(storage.outbox().read(Position.START, 10))
        .singleElement()
        .satisfies(message -> assertThat(message.position()).isEqualTo(beyond));
    assertThat(storage.outbox().head()).isEqualTo(beyond);
    drawUpTo(2 * CUT);
    assertThatThrownBy(() -> append(Events.event(1)))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("no partition");
  }

  @Test
  void S3_S6_theLogGoesOnInPartitionsAndItsKeysStayUnique() throws Exception {
    execute(Readme.sql("begin;\nlock table sluice.event"));
    EventStore store = storage.eventStore();
    NewEvent event = Events.event(1);
    AppendResult appended = append(event);
    drawUpTo(CUT);
    append(Events.event("closed", 0), Events.event(1));

    assertThat(append(event)).as("a repetition").isEqualTo(appended);
    assertThatThrownBy(
            () -> store.append(STREAM, ExpectedVersion.exactly(4), List.of(Events.event(0))))
        .isInstanceOf(VersionConflictException.class);
    assertThatThrownBy(
            () -> store.append(StreamId.of("account", "43"), ExpectedVersion.any(), List.of(event)))
        .isInstanceOf(DuplicateEventException.class);
    try (Connection late = pool.getConnection()) {
      late.setAutoCommit(false);
      assertThatThrownBy(
              () ->
                  storage
                      .join(late)
                      .eventStore()
                      .append(STREAM, ExpectedVersion.noStream(), List.of(Events.event(0))))
          .isInstanceOf(VersionConflictException.class);
      late.rollback();
    }
    assertThat(store.read(STREAM, StreamRange.backwards(5, 10)))
        .extracting(RecordedEvent::version)
        .containsExactly(5L, 4L, 3L, 2L, 1L);
    assertThat(store.find(event.id())).isPresent();
    assertThat(Events.readAll(storage.globalLog())).hasSize(5);
    assertThat(storage.globalLog().read(Position.START, EventFilter.types("closed"), 10).events())
        .hasSize(1);
    execute("do 'begin assert (select count(*) from sluice.event_text) = 5; end'");
    JdbcStorage.create(pool).close();
  }

  private AppendResult append(NewEvent... events) {
    return storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(events));
  }

  private void drawUpTo(long number) throws SQLException {
    execute("select setval('sluice.commit_number', " + number + ")");
  }

  private void execute(String sql) throws SQLException {
    try (Connection connection = pool.getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }
}
