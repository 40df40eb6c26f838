package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.StreamRange;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.postgresql.ds.PGSimpleDataSource;

/** Servers, sequences and schemas on which a guarantee would not hold. */
class StartUpTest {

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
  void aSequenceThatWouldLoseEventsIsRefused() throws Exception {
    JdbcStorage.create(pool).close();
    String sequence = "alter sequence sluice.commit_number ";
    String token = "alter table sluice.lease alter token ";
    refused("has cache 10", sequence + "cache 10", sequence + "cache 1");
    refused("increment 2", sequence + "increment 2", sequence + "increment 1");
    refused("and cycles", sequence + "cycle", sequence + "no cycle");
    refused(
        "belongs to a column",
        sequence + "owned by sluice.lease.token",
        sequence + "owned by none");
    refused(
        "gives a column its default",
        token + "set default nextval('sluice.commit_number')",
        token + "drop default");
    JdbcStorage.create(pool).close();
  }

  private void refused(String message, String wrong, String right) throws SQLException {
    execute(wrong);
    assertThatThrownBy(() -> JdbcStorage.create(pool))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining(message);
    execute(right);
  }

  @Test
  void G2_aSequenceThatFallsBehindARunningServiceIsRefusedByEachAppend() throws Exception {
    try (JdbcStorage storage = JdbcStorage.create(pool);
        JdbcStorage alone = JdbcStorage.builder(pool).appendLanes(0).build()) {
      for (int i = 0; i < 20; i++) {
        append(storage);
      }
      execute("select setval('sluice.commit_number', 0)");
      for (Runnable append :
          List.<Runnable>of(
              () -> append(storage),
              () -> append(alone),
              () ->
                  storage.inTransaction(
                      transaction ->
                          transaction
                              .eventStore()
                              .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)))))) {
        assertThatThrownBy(append::run)
            .isInstanceOf(StoreRefusedException.class)
            .hasMessageContaining("the sequence commit_number is behind");
      }
      assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 100))).hasSize(20);
    }
  }

  @Test
  void aServerOrSettingUnderWhichAGuaranteeWouldNotHoldIsRefused() {
    assertThatThrownBy(() -> JdbcStorage.create(with("default_transaction_read_only=on")))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("only read");
    for (String level : List.of("repeatable\\ read", "serializable")) {
      assertThatThrownBy(() -> JdbcStorage.create(with("default_transaction_isolation=" + level)))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining("run at " + level.replace("\\", ""));
    }
    assertThatThrownBy(() -> JdbcStorage.create(ofVersion(13)))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("is too old");
  }

  private DataSource with(String setting) {
    PGSimpleDataSource source = (PGSimpleDataSource) database.dataSource();
    source.setOptions("-c " + setting);
    return source;
  }

  /** A data source whose server says that it is of another version. */
  private DataSource ofVersion(int major) {
    return proxy(
        DataSource.class, pool, "current_setting('server_version_num')", "'" + major + "0000'");
  }

  private static <T> T proxy(Class<T> type, T target, String asked, String instead) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              @Nullable Object[] given = arguments == null ? new Object[0] : arguments.clone();
              if (given.length > 0 && given[0] instanceof String sql) {
                given[0] = sql.replace(asked, instead);
              }
              try {
                Object result = method.invoke(target, given);
                return result instanceof Connection connection
                    ? proxy(Connection.class, connection, asked, instead)
                    : result;
              } catch (InvocationTargetException e) {
                throw Objects.requireNonNull(e.getCause());
              }
            }));
  }

  @Test
  void aLoginOrDatabaseThatIsWrongIsRefusedAlsoBehindAPool() {
    String elsewhere = database.url().replaceFirst("/[^/?]+(\\?.*)?$", "/no_such_database$1");
    for (PostgresDatabase wrong :
        List.of(
            new PostgresDatabase(database.url(), "no_such_user", "secret"),
            new PostgresDatabase(elsewhere, database.user(), database.password()))) {
      try (HikariDataSource theirs = impatient(wrong.dataSource())) {
        for (DataSource source : List.of(wrong.dataSource(), theirs)) {
          assertThatThrownBy(() -> JdbcStorage.create(source))
              .isInstanceOf(StoreRefusedException.class)
              .hasMessageContaining("no_such_")
              .hasMessageContaining("correct the ")
              .hasMessageNotContaining("Connection is not available");
        }
      }
    }
    PGSimpleDataSource nobody = new PGSimpleDataSource();
    nobody.setUrl("jdbc:postgresql://localhost:1/none");
    try (HikariDataSource theirs = impatient(nobody)) {
      assertThatThrownBy(() -> JdbcStorage.create(theirs))
          .isInstanceOf(StoreUnavailableException.class)
          .hasMessageContaining("localhost:1 refused")
          .hasMessageContaining("check that the server runs");
    }
  }

  /** A pool that starts without a connection, and soon gives up waiting for one. */
  private static HikariDataSource impatient(DataSource source) {
    HikariConfig config = new HikariConfig();
    config.setDataSource(source);
    config.setInitializationFailTimeout(-1);
    config.setConnectionTimeout(1_000);
    return new HikariDataSource(config);
  }

  @Test
  void whoMayNotCreateSchemasCanFillOneThatIsThere() throws Exception {
    try (OtherUser user = OtherUser.of(database)) {
      DataSource theirs = user.dataSource();
      assertThatThrownBy(() -> JdbcStorage.create(theirs))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining("permission denied");
      execute("create schema sluice authorization " + user.name());
      try (JdbcStorage storage = JdbcStorage.create(theirs)) {
        append(storage);
      }
    }
  }

  @Test
  void whoMayNotDoAllThatAStorageDoesIsToldWhatToGrant() throws Exception {
    JdbcStorage.create(pool).close();
    try (OtherUser user = OtherUser.of(database)) {
      assertThatThrownBy(() -> JdbcStorage.create(user.dataSource()))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining("\n  grant usage on schema sluice to " + user.name() + ";\n");
      execute(Readme.sql("grant usage on schema").replace("my_service", user.name()));
      String everything =
          """
          usage on schema sluice
          select on sluice.schema_version
          select, insert on sluice.event
          select, insert on sluice.event_kind
          select, insert, delete on sluice.outbox
          select, update on sluice.outbox_pruned
          select, insert, update, delete on sluice.checkpoint
          select, insert, update, delete on sluice.lease
          select, insert, update, delete on sluice.snapshot
          usage, select on sequence sluice.commit_number
          """;
      for (String line : everything.lines().toList()) {
        String[] rights = line.split(" on ", 2);
        for (String right : rights[0].split(", ", -1)) {
          String one = right + " on " + rights[1];
          execute("revoke " + one + " from " + user.name());
          assertThatThrownBy(() -> JdbcStorage.create(user.dataSource()))
              .as(one)
              .isInstanceOf(StoreRefusedException.class)
              .hasMessageEndingWith("\n  grant " + one + " to " + user.name() + ";");
          execute("grant " + one + " to " + user.name());
        }
      }
      execute("revoke all on all tables in schema sluice from " + user.name());
      assertThatThrownBy(() -> JdbcStorage.create(user.dataSource()))
          .hasMessageContaining(
              "\n  grant select, insert on sluice.event to " + user.name() + ";\n");
      execute(
          everything
              .lines()
              .map(line -> "grant " + line + " to " + user.name())
              .collect(Collectors.joining(";")));
      JdbcStorage.create(user.dataSource()).close();
    }
  }

  @Test
  void theGrantsOfTheReadmeAreEnoughForEverythingButTheSchema() throws Exception {
    JdbcStorage.create(pool).close();
    try (OtherUser user = OtherUser.of(database)) {
      execute(Readme.sql("grant usage on schema").replace("my_service", user.name()));
      try (JdbcStorage storage = JdbcStorage.create(user.dataSource())) {
        append(storage);
        storage.inTransaction(
            transaction ->
                transaction
                    .eventStore()
                    .append(STREAM, ExpectedVersion.any(), List.of(Events.event("closed", 1))));
        assertThat(Events.readAll(storage.globalLog())).hasSize(2);
        Position first = storage.outbox().read(Position.START, 10).getFirst().position();
        Checkpoint checkpoint = Checkpoint.first("relay/a", Position.START, Payload.EMPTY, 0);
        storage.checkpoints().save(checkpoint);
        storage.checkpoints().save(checkpoint.next(first, Payload.EMPTY, 0));
        assertThat(storage.outbox().prune(10)).isEqualTo(1);
        storage.checkpoints().delete("relay/a");
        Lease lease = storage.leases().acquire("a", "me", Duration.ofMinutes(1)).orElseThrow();
        storage.leases().release(storage.leases().renew(lease, Duration.ofMinutes(1)));
        for (int version = 1; version <= 2; version++) {
          storage.snapshots().save(new Snapshot(STREAM, "v1", version, Payload.EMPTY));
        }
        storage.snapshots().delete(STREAM);
      }
      assertThat(Doctor.examine(user.dataSource(), "sluice").problems()).isEmpty();
    }
  }

  @Test
  void theSchemasScriptIsOneTransactionUnderTheLock() {
    assertThat(JdbcStorage.builder(pool).schemaSql())
        .startsWith("begin;\n\nselect pg_advisory_xact_lock(")
        .endsWith("commit;\n");
  }

  @Test
  void aSchemaThatIsHalfWayIsTakenTheRest() throws Exception {
    halfWay();
    assertThat(JdbcStorage.builder(pool).schemaSql())
        .contains("-- 5: checkpoint", "-- 8: event-text")
        .doesNotContain("-- 4: outbox", "create schema");
    try (JdbcStorage storage = JdbcStorage.create(pool)) {
      append(storage);
      assertThat(storage.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(1);
    }
    assertThat(JdbcStorage.builder(pool).schemaSql()).isEmpty();
  }

  @Test
  void anUpgradeThatBreaksOffSaysWhyAndLeavesTheSchemaAsItWas() throws Exception {
    halfWay();
    execute(
        """
        create function die() returns trigger language plpgsql as
          'begin perform pg_terminate_backend(pg_backend_pid()); return new; end';
        create trigger die before insert on sluice.schema_version
          for each row when (new.version = 7) execute function die()
        """);
    assertThatThrownBy(() -> JdbcStorage.create(pool))
        .isInstanceOf(StoreUnavailableException.class)
        .hasMessageContaining("57P01");
    assertThat(JdbcStorage.builder(pool).schemaSql()).contains("-- 5: checkpoint");
    execute("drop trigger die on sluice.schema_version");
    JdbcStorage.create(pool).close();
  }

  /** The first four steps of the schema. */
  private void halfWay() throws SQLException {
    String script = JdbcStorage.builder(pool).schemaSql();
    execute(script.substring(0, script.indexOf("-- 5: checkpoint")) + "commit");
  }

  private static void append(JdbcStorage storage) {
    storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(1)));
  }

  private void execute(String sql) throws SQLException {
    try (Connection connection = pool.getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }
}
