package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DoctorTest {

  private static final StreamId STREAM = StreamId.of("account", "42");

  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private HikariDataSource pool;
  private JdbcStorage storage;

  @BeforeEach
  void open() {
    pool = PostgresFixture.pool(database, 4);
    storage = JdbcStorage.create(pool);
  }

  @AfterEach
  void close() {
    storage.close();
    pool.close();
  }

  @Test
  void itNamesWhoHoldsReadersBackAndHowFarTheyGet() throws Exception {
    append();
    try (Connection connection = database.dataSource().getConnection()) {
      execute(connection, "set application_name = 'forgotten'");
      hold(connection);
      append();
      storage.checkpoints().save(Checkpoint.first("relay/bank", Position.START, Payload.EMPTY, 0));
      assertThat(Doctor.examine(pool, "sluice").text())
          .contains("last event stored         position 196608 (commit 3)")
          .contains("last event readable       position 65536 (commit 1)")
          .contains("(forgotten), open for", "idle in transaction", "relay/bank: 2 behind")
          .contains("event: about");
      connection.rollback();
      assertThat(Doctor.examine(pool, "sluice").text())
          .contains("last event readable       position 196608 (commit 3)")
          .contains("held back by              nobody", "problems                  none");
    }
  }

  @Test
  void itSaysWhatItMayNotSeeOfOthers() throws Exception {
    try (Connection connection = database.dataSource().getConnection();
        OtherUser user = OtherUser.of(database)) {
      execute(connection, Readme.sql("grant usage on").replace("my_service", user.name()));
      execute(connection, "revoke pg_read_all_stats from " + user.name());
      hold(connection);
      Doctor.Finding blind = Doctor.examine(user.dataSource(), "sluice");
      assertThat(blind.text())
          .contains("open for an unknown time, unknown: grant pg_read_all_stats")
          .doesNotContain("prepared");
      assertThat(blind.problems())
          .anyMatch(problem -> problem.contains("grant pg_read_all_stats to it"));
      try (Connection granting = pool.getConnection()) {
        execute(granting, "grant pg_read_all_stats to " + user.name());
      }
      Doctor.Finding seeing = Doctor.examine(user.dataSource(), "sluice");
      assertThat(seeing.text()).contains("idle in transaction");
      assertThat(seeing.problems()).isEmpty();
      connection.rollback();
    }
  }

  @Test
  void itDoesNotCountForEver() throws Exception {
    try (Connection connection = pool.getConnection()) {
      execute(
          connection,
          """
          insert into sluice.event
          select (i + 10)::bigint << 16, i, 0, 1, gen_random_uuid(), 'account-x', '', ''
          from generate_series(1, 100001) i;
          select setval('sluice.commit_number', 200000)
          """);
    }
    storage.checkpoints().save(Checkpoint.first("view", Position.START, Payload.EMPTY, 0));
    assertThat(Doctor.examine(pool, "sluice").text()).contains("view: 100000 or more behind");
  }

  @Test
  void itFindsWhatKeepsAStorageFromStarting() throws Exception {
    append();
    try (Connection connection = pool.getConnection()) {
      execute(connection, "select setval('sluice.commit_number', 0)");
    }
    assertThat(Doctor.examine(pool, "sluice").problems())
        .anyMatch(problem -> problem.contains("behind the stored commit 1"));
  }

  @Test
  void asAProgramItPrintsWhatItFoundAndEndsWithIt() {
    assertThat(run(0, url(), "sluice")).contains("problems", "none");
    assertThat(run(1, url(), "elsewhere")).contains("PROBLEM", "the schema is not up to date");
    assertThat(run(2)).contains("Usage: Doctor");
    assertThat(run(2, "jdbc:other:x")).contains("jdbc:other:x");
    assertThat(run(2, "jdbc:postgresql://localhost:1/none")).contains("check that the server runs");
  }

  private String url() {
    return database.url()
        + (database.url().contains("?") ? "&" : "?")
        + "user="
        + database.user()
        + "&password="
        + database.password();
  }

  private static String run(int status, String... arguments) {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);
    assertThat(Doctor.run(arguments, out, out)).isEqualTo(status);
    return printed.toString(StandardCharsets.UTF_8);
  }

  private void hold(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    storage
        .join(connection)
        .eventStore()
        .append(StreamId.of("account", "held"), ExpectedVersion.any(), List.of(Events.event(1)));
  }

  private void append() {
    storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of(Events.event(1)));
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }
}
