package dev.sluice.adapter.jdbc;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.NotStorableException;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jdbi.v3.core.JdbiException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What goes wrong around a store, and what the adapter makes of it. */
class FaultsTest {

  private static final StreamId STREAM = StreamId.of("account", "42");

  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private HikariDataSource pool;

  @BeforeEach
  void openPool() {
    pool = PostgresFixture.pool(database, 8);
  }

  @AfterEach
  void closePool() {
    pool.close();
  }

  @Test
  void G5_aLongTransactionOfSomebodyElseDelaysNobody() throws Exception {
    PostgresDatabase other = PostgresServer.shared().newDatabase();
    try (JdbcStorage storage = JdbcStorage.create(pool);
        Connection here = database.dataSource().getConnection();
        Connection there = other.dataSource().getConnection()) {
      for (Connection connection : List.of(here, there)) {
        connection.setAutoCommit(false);
        execute(connection, "create table own (id bigint); insert into own values (1)");
        execute(connection, "select pg_advisory_xact_lock_shared(7, 0)");
      }
      storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(1)));
      assertThat(Events.readAll(storage.globalLog())).hasSize(1);
      assertThat(storage.outbox().read(Position.START, 10)).hasSize(1);
      assertThat(storage.globalLog().status().heldBackBy()).isEmpty();
    }
  }

  @Test
  void G4_twoStoresInOneDatabaseDoNotDelayEachOther() throws Exception {
    try (JdbcStorage one = JdbcStorage.builder(pool).schema("one").build();
        JdbcStorage two = JdbcStorage.builder(pool).schema("two").build();
        Connection connection = database.dataSource().getConnection()) {
      connection.setAutoCommit(false);
      one.join(connection)
          .eventStore()
          .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
      two.eventStore().append(STREAM, ExpectedVersion.noStream(), List.of(Events.event(0)));
      assertThat(Events.readAll(two.globalLog())).hasSize(1);
      assertThat(Events.readAll(one.globalLog())).isEmpty();
      assertThat(one.globalLog().status().heldBackBy()).isPresent();
      connection.commit();
      assertThat(Events.readAll(one.globalLog())).hasSize(1);
    }
  }

  @Test
  void G4_aPreparedTransactionHoldsReadersBackUntilItEnds() throws Exception {
    try (JdbcStorage storage = JdbcStorage.create(pool);
        Connection connection = database.dataSource().getConnection()) {
      connection.setAutoCommit(false);
      storage
          .join(connection)
          .eventStore()
          .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
      execute(connection, "prepare transaction 'held'");
      StreamId other = StreamId.of("account", "43");
      storage.eventStore().append(other, ExpectedVersion.any(), List.of(Events.event(0)));
      assertThat(Events.readAll(storage.globalLog())).isEmpty();
      assertThat(storage.globalLog().status().heldBackBy())
          .hasValueSatisfying(
              open -> assertThat(open.who()).contains("prepared transaction 'held'"));
      connection.setAutoCommit(true);
      execute(connection, "commit prepared 'held'");
      assertThat(Events.readAll(storage.globalLog()))
          .extracting(event -> event.stream())
          .containsExactly(STREAM, other);
    }
  }

  @Test
  void G4_aWriterThatStallsForFiveSecondsHidesOnlyWhatCameAfterItAndStopsNobody() throws Exception {
    try (JdbcStorage storage = JdbcStorage.create(pool);
        Connection stalled = database.dataSource().getConnection();
        ExecutorService executor = Executors.newSingleThreadExecutor()) {
      storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(1)));
      stalled.setAutoCommit(false);
      storage
          .join(stalled)
          .eventStore()
          .append(StreamId.of("account", "stalled"), ExpectedVersion.any(), List.of(event()));
      Future<?> stall =
          executor.submit(
              () -> {
                execute(stalled, "select pg_sleep(5)");
                return null;
              });
      int appended = 0;
      while (!stall.isDone()) {
        storage
            .eventStore()
            .append(
                StreamId.of("account", "other-" + appended),
                ExpectedVersion.noStream(),
                List.of(event()));
        appended++;
        assertThat(Events.readAll(storage.globalLog())).hasSize(1);
        assertThat(storage.outbox().read(Position.START, 10)).hasSize(1);
      }
      stall.get();
      assertThat(appended).as("appends meanwhile").isGreaterThan(20);
      stalled.commit();
      assertThat(Events.readAll(storage.globalLog())).hasSize(appended + 2);
      assertThat(storage.outbox().count(Position.START)).isEqualTo(appended + 2);
    }
  }

  private static NewEvent event() {
    return Events.event(1);
  }

  @Test
  void G2_numbersThatACrashOfTheServerGivesBackAreNotPassed() throws Exception {
    try (JdbcStorage storage = JdbcStorage.create(pool);
        Connection connection = database.dataSource().getConnection();
        Connection late = database.dataSource().getConnection()) {
      Position first =
          storage
              .eventStore()
              .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)))
              .position();
      // Drawn and not flushed: a reader sees it in the sequence, a crash takes it back.
      execute(connection, "select nextval('sluice.commit_number') from generate_series(1, 10)");
      assertThat(storage.globalLog().read(Position.START, EventFilter.ALL, 10).events()).hasSize(1);
      execute(
          connection, "select setval('sluice.commit_number', " + (first.value() >> 16) + ", true)");

      late.setAutoCommit(false);
      storage
          .join(late)
          .eventStore()
          .append(StreamId.of("account", "late"), ExpectedVersion.any(), List.of(Events.event(0)));
      storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));

      assertThat(storage.globalLog().read(first, EventFilter.ALL, 1).events()).isEmpty();
      late.commit();
      assertThat(storage.globalLog().read(first, EventFilter.ALL, 10).events()).hasSize(2);
    }
  }

  @Test
  void aStreamThatSomebodyHoldsOpenDoesNotStopOtherAppends() throws Exception {
    try (JdbcStorage storage = JdbcStorage.builder(pool).appendLanes(1).build();
        Connection connection = database.dataSource().getConnection();
        ExecutorService executor = Executors.newFixedThreadPool(3)) {
      connection.setAutoCommit(false);
      storage
          .join(connection)
          .eventStore()
          .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
      List<Future<?>> waiting = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        waiting.add(
            executor.submit(
                () ->
                    storage
                        .eventStore()
                        .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)))));
      }
      for (int i = 0; i < 20; i++) {
        storage
            .eventStore()
            .append(
                StreamId.of("account", "other-" + i),
                ExpectedVersion.noStream(),
                List.of(Events.event(0)));
      }
      assertThat(waiting).noneMatch(Future::isDone);
      connection.commit();
      for (Future<?> append : waiting) {
        append.get(20, TimeUnit.SECONDS);
      }
      assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(4);
    }
  }

  @Test
  void anExhaustedPoolIsSaidAndNothingIsWritten() throws Exception {
    pool.setMaximumPoolSize(1);
    pool.setConnectionTimeout(300);
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
      try (Connection taken = pool.getConnection()) {
        assertThat(taken.isValid(1)).isTrue();
        assertThatThrownBy(
                () ->
                    storage
                        .eventStore()
                        .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0))))
            .isInstanceOf(StoreUnavailableException.class)
            .hasMessageContaining("appending to account-42")
            .hasMessageContaining("the pool has free connections");
      }
      assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(1);
    }
  }

  @Test
  void aNewEventTypeInATransactionNeedsASecondConnectionAndSaysSo() {
    pool.setMaximumPoolSize(1);
    pool.setConnectionTimeout(300);
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      assertThatThrownBy(
              () ->
                  storage.inTransaction(
                      transaction ->
                          transaction
                              .eventStore()
                              .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)))))
          .isInstanceOf(StoreUnavailableException.class)
          .hasMessageContaining("adding the event type")
          .hasMessageContaining("on a second connection beside that of the transaction")
          .hasMessageContaining("the pool has free connections");
      assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 10))).isEmpty();
      // Outside a transaction one connection is enough, and from then on inside, too.
      storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
      storage.inTransaction(
          transaction ->
              transaction
                  .eventStore()
                  .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0))));
      assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(2);
    }
  }

  @Test
  void aConflictInTheCallersTransactionLeavesItUsable() {
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      storage.eventStore().append(STREAM, ExpectedVersion.noStream(), List.of(Events.event(0)));
      storage.inTransaction(
          transaction -> {
            assertThatThrownBy(
                    () ->
                        transaction
                            .eventStore()
                            .append(STREAM, ExpectedVersion.exactly(3), List.of(Events.event(0))))
                .isInstanceOf(VersionConflictException.class);
            transaction
                .checkpoints()
                .save(Checkpoint.first("view", Position.START, Payload.EMPTY, 0));
            return transaction
                .eventStore()
                .append(STREAM, ExpectedVersion.exactly(1), List.of(Events.event(1)));
          });
      assertThat(storage.checkpoints().load("view")).isPresent();
      assertThat(Events.readAll(storage.globalLog())).hasSize(2);
    }
  }

  @Test
  void aRefusedAppendLeavesNoSavepointBehind() throws Exception {
    try (JdbcStorage storage = JdbcStorage.create(pool);
        Connection connection = database.dataSource().getConnection()) {
      NewEvent event = Events.event(0);
      storage.eventStore().append(STREAM, ExpectedVersion.noStream(), List.of(event));
      connection.setAutoCommit(false);
      AppendResult repeated =
          storage
              .join(connection)
              .eventStore()
              .append(STREAM, ExpectedVersion.any(), List.of(event));
      assertThat(repeated.version()).isEqualTo(1);
      // The driver's name for the first one of a connection.
      assertThatThrownBy(() -> execute(connection, "release savepoint JDBC_SAVEPOINT_0"))
          .hasMessageContaining("does not exist");
    }
  }

  @Test
  void S1_aTransactionThatGoesOnAfterARefusedStatementIsNotReportedAsCommitted() {
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      assertThatThrownBy(
              () ->
                  storage.inTransaction(
                      transaction -> {
                        transaction
                            .eventStore()
                            .append(STREAM, ExpectedVersion.noStream(), List.of(Events.event(0)));
                        assertThatThrownBy(() -> transaction.handle().execute("select 1 / 0"))
                            .isInstanceOf(JdbiException.class);
                        return "done";
                      }))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining("savepoint");
      assertThat(Events.readAll(storage.globalLog())).isEmpty();
    }
  }

  @Test
  void otherIsolationLevelsAreRefusedAtEachAppend() throws Exception {
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      for (int level :
          List.of(Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE)) {
        try (Connection connection = database.dataSource().getConnection()) {
          connection.setTransactionIsolation(level);
          connection.setAutoCommit(false);
          EventStore joined = storage.join(connection).eventStore();
          for (int events = 1; events <= 3; events++) {
            List<NewEvent> some = Stream.generate(FaultsTest::event).limit(events).toList();
            assertThatThrownBy(() -> joined.append(STREAM, ExpectedVersion.any(), some))
                .isInstanceOf(StoreRefusedException.class)
                .hasMessageContaining("READ COMMITTED");
          }
          connection.commit();
        }
      }
      assertThat(Events.readAll(storage.globalLog())).isEmpty();
    }
  }

  @Test
  void S9_whatTextCannotHoldIsRefused() {
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      assertThatThrownBy(
              () ->
                  storage
                      .eventStore()
                      .append(STREAM, ExpectedVersion.any(), List.of(Events.event("ope\0ned", 0))))
          .isInstanceOf(NotStorableException.class)
          .hasMessageContaining("NUL character at index 3");
      NewEvent huge =
          new NewEvent(
              EventIds.next(),
              "opened",
              Instant.now(),
              Payload.of(new byte[ReadyAppend.MAX_EVENT_BYTES + 1]),
              Payload.EMPTY,
              List.of());
      assertThatThrownBy(
              () -> storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(huge)))
          .isInstanceOf(NotStorableException.class)
          .hasMessageContaining("67108865 bytes; the limit is 67108864 bytes");
      Payload quarter = Payload.of(new byte[ReadyAppend.MAX_APPEND_BYTES / 4]);
      List<NewEvent> many = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        many.add(
            new NewEvent(
                EventIds.next(), "opened", Instant.now(), quarter, Payload.EMPTY, List.of()));
      }
      many.add(Events.event(0));
      assertThatThrownBy(() -> storage.eventStore().append(STREAM, ExpectedVersion.any(), many))
          .isInstanceOf(NotStorableException.class)
          .hasMessageContaining("over the limit of 268435456 bytes; split it");
      assertThat(Events.readAll(storage.globalLog())).isEmpty();
    }
  }

  @Test
  void aSchemaThatDoesNotFitIsRefused() throws Exception {
    assertThatThrownBy(() -> JdbcStorage.builder(pool).createSchema(false).build())
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("has version 0 and must have 8")
        .hasMessageContaining("schemaSql()");
    String sql = JdbcStorage.builder(pool).schemaSql();
    try (Connection connection = pool.getConnection()) {
      execute(connection, sql);
      assertThat(JdbcStorage.builder(pool).schemaSql()).isEmpty();
      JdbcStorage.builder(pool).createSchema(false).build().close();
      execute(connection, "insert into sluice.schema_version values (9, 'from the future')");
    }
    assertThatThrownBy(() -> JdbcStorage.create(pool))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("has version 9, this adapter knows versions up to 8");
  }

  @Test
  void anEventWhoseTypeIsLostSaysHowToPutItBack() throws Exception {
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
    }
    try (Connection connection = database.dataSource().getConnection()) {
      execute(connection, "delete from sluice.event_kind");
    }
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      String message =
          requireNonNull(
              catchThrowableOfType(
                      StoreRefusedException.class, () -> Events.readAll(storage.globalLog()))
                  .getMessage());
      String insert = message.substring(message.indexOf("insert into")).replace("…", "opened");
      try (Connection connection = database.dataSource().getConnection()) {
        execute(connection, "set search_path = sluice; " + insert);
      }
      assertThat(Events.readAll(storage.globalLog()))
          .extracting(RecordedEvent::type)
          .containsExactly("opened");
    }
  }

  @Test
  void severalInstancesMayCreateTheSchemaAtOnce() throws Exception {
    try (ExecutorService executor = Executors.newFixedThreadPool(6)) {
      List<Future<JdbcStorage>> starting = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        starting.add(executor.submit(() -> JdbcStorage.create(pool)));
      }
      for (Future<JdbcStorage> storage : starting) {
        storage.get(30, TimeUnit.SECONDS).close();
      }
    }
  }

  @Test
  void aUserWhoLosesRightsIsTold() throws Exception {
    try (JdbcStorage storage = JdbcStorage.create(pool);
        OtherUser user = OtherUser.of(database);
        Connection connection = pool.getConnection()) {
      storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
      execute(connection, Readme.sql("grant usage on").replace("my_service", user.name()));
      try (JdbcStorage theirs = JdbcStorage.create(user.dataSource())) {
        execute(connection, "revoke insert on sluice.event from " + user.name());
        assertThat(Events.readAll(theirs.globalLog())).hasSize(1);
        assertThatThrownBy(
                () ->
                    theirs
                        .eventStore()
                        .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0))))
            .isInstanceOf(StoreRefusedException.class)
            .hasMessageContaining("permission denied")
            .hasMessageContaining("grant it");
      }
    }
  }

  @Test
  void hintsReachAnotherStorageOnTheSameSchemaAlsoAfterItsConnectionWasKilled() throws Exception {
    try (JdbcStorage one = JdbcStorage.create(pool);
        JdbcStorage two = JdbcStorage.create(pool);
        Connection connection = database.dataSource().getConnection()) {
      Semaphore hinted = new Semaphore(0);
      try (Registration registration = two.globalLog().onAppend(hinted::release)) {
        assertThat(registration).isNotNull();
        awaitHintFrom(one, hinted);
        execute(
            connection,
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
                + " where application_name like 'sluice-listen %'"
                + " and datname = current_database()");
        hinted.drainPermits();
        awaitHintFrom(one, hinted);
      }
    }
  }

  private static void awaitHintFrom(JdbcStorage storage, Semaphore hinted) throws Exception {
    // The first hint says that LISTEN is on.
    assertThat(hinted.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
    boolean fromOther = false;
    Instant end = Instant.now().plusSeconds(20);
    while (!fromOther && Instant.now().isBefore(end)) {
      storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
      fromOther = hinted.tryAcquire(300, TimeUnit.MILLISECONDS);
    }
    assertThat(fromOther).isTrue();
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }
}
