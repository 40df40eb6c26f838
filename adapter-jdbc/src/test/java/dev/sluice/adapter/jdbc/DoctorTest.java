package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.SubscriptionListener;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DoctorTest {

  private static final StreamId STREAM = StreamId.of("account", "42");

  private static final Duration FAST = Duration.ofMillis(1);

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
      hold("relay/bank");
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
  void itSaysAtWhichEventsSubscriptionsHaveStopped() throws Exception {
    append();
    CountDownLatch failures = new CountDownLatch(3);
    FailurePolicy retries =
        FailurePolicy.STOP.withAttempts(9, Duration.ofHours(1), Duration.ofHours(1));
    try (Subscriptions running =
        Subscriptions.builder(storage).listener(new Counting(failures)).build()) {
      running.start(failing("stops", FailurePolicy.STOP.withAttempts(1, FAST, FAST)));
      running.start(failing("parks", FailurePolicy.PARK.withAttempts(1, FAST, FAST)));
      running.start(failing("retries", retries));
      assertThat(failures.await(60, TimeUnit.SECONDS)).isTrue();
      Doctor.Finding finding = Doctor.examine(pool, "sluice");
      String error =
          "account-42, version 1, try 1: java.lang.IllegalStateException: no such\\nowner";
      assertThat(finding.problems())
          .satisfiesExactlyInAnyOrder(
              problem -> assertThat(problem).contains("/stops/0 is stopped by " + error, "resume"),
              problem -> assertThat(problem).contains("/parks/0 has parked 1, the first " + error),
              problem -> assertThat(problem).contains("/retries/0 is failing", error));
      assertThat(finding.text()).contains("PROBLEM                   subscription/stops/0 is");
    }
  }

  private static Subscription failing(String name, FailurePolicy failures) {
    return Subscription.named(name)
        .failures(failures)
        .handler(
            event -> {
              throw new IllegalStateException("no such\nowner");
            });
  }

  @Test
  void itSaysAtWhichMessagesRelaysHaveStopped() {
    String refused =
        " 0192c0de-0000-7000-8000-000000000000 account-opened a+key p1 too+big%0Aby+far"
            + " 2026-01-01T00%3A00%3A00Z 3";
    String start = "\n\nsluice-lane 1\nlayout 1 1 0\n";
    relay("stops", Position.START + start + "stopped" + refused + "\napplied 0");
    relay("parks", Position.START + start + "parked" + refused + " p1 1 false\napplied 0");
    relay("fails", Position.START + "\nbroker+is+away");
    relay("newer", Position.START + "\n\nsluice-lane 2\nsomething else");
    relay("fine", Position.START + start + "applied 0");
    relay("new", "");
    String error = "message 0192c0de-0000-7000-8000-000000000000 of type account-opened and key";
    assertThat(Doctor.examine(pool, "sluice").problems())
        .satisfiesExactlyInAnyOrder(
            problem ->
                assertThat(problem)
                    .contains("relay/stops/0 is stopped by " + error)
                    .contains("a key, try 3: too big; by far", "RelayControl"),
            problem ->
                assertThat(problem).contains("relay/parks/0 has parked 1, the first " + error),
            problem -> assertThat(problem).contains("relay/fails/0 is failing", "broker is away"),
            problem -> assertThat(problem).contains("relay/newer/0 keeps its state in a form"));
  }

  private void relay(String name, String state) {
    String checkpoint = "relay/" + name + "/0";
    storage
        .checkpoints()
        .save(Checkpoint.first(checkpoint, Position.START, Payload.ofUtf8(state), 0));
  }

  @Test
  void itNamesReadersThatAreBehindAndThatNobodyRuns() {
    append();
    append();
    for (String name : List.of("subscription/dead/0", "subscription/live/0")) {
      storage.checkpoints().save(Checkpoint.first(name, Position.START, Payload.EMPTY, 0));
    }
    relay("dead", new Position(1 << 16) + "\n");
    // Keeps back the last message that it has published.
    relay("idle", new Position(2 << 16) + "\n");
    relay("live", "");
    hold("subscription/live/0");
    hold("relay/live/0");
    assertThat(Doctor.examine(pool, "sluice").problems())
        .containsExactlyInAnyOrder(
            "subscription/dead/0 is 2 behind and nobody runs it; start it, or if it is retired,"
                + " Subscriptions.forget(\"dead\")",
            "relay/dead/0 is 1 behind and nobody runs it; it holds back pruning of the outbox;"
                + " start it, or if it is retired, call RelayControl.forget()");
  }

  @Test
  void itKnowsAChangeOfTheNumberOfLanes() {
    append();
    relay("bank", "");
    storage
        .checkpoints()
        .save(Checkpoint.first("relay/change:bank", Position.START, Payload.EMPTY, 0));
    Lease change = hold("relay-change/bank");
    assertThat(Doctor.examine(pool, "sluice").problems()).isEmpty();
    storage.leases().release(change);
    assertThat(Doctor.examine(pool, "sluice").problems())
        .hasSize(2)
        .anyMatch(problem -> problem.startsWith("relay/bank/0 is 1 behind and nobody runs it"))
        .anyMatch(
            problem ->
                problem.startsWith("relay/change:bank")
                    && problem.contains("broke off")
                    && !problem.contains("delete"));
  }

  @Test
  void itKnowsARestartOfALane() {
    append();
    storage
        .checkpoints()
        .save(Checkpoint.first("relay/restart:bank/0", Position.START, Payload.EMPTY, 0));
    Lease lane = hold("relay/bank/0");
    assertThat(Doctor.examine(pool, "sluice").problems()).isEmpty();
    storage.leases().release(lane);
    assertThat(Doctor.examine(pool, "sluice").problems())
        .singleElement()
        .asString()
        .startsWith("relay/restart:bank/0 is left of a restart")
        .contains("start the relay", "RelayControl.forget()");
  }

  private Lease hold(String lease) {
    return storage.leases().acquire(lease, "me", Duration.ofHours(1)).orElseThrow();
  }

  @Test
  void itListsNothingAsAReaderThatReadsNothing() {
    append();
    for (String name :
        List.of(
            "process-deadlines/a/0",
            "relay-control/a",
            "subscription-commands/a",
            "projection/a",
            "backfill/a/0",
            "mine")) {
      storage.checkpoints().save(Checkpoint.first(name, Position.START, Payload.EMPTY, 0));
    }
    for (String name :
        List.of("subscription/a/member/me", "relay-member/a/me", "subscription/a/0")) {
      storage.leases().release(hold(name));
    }
    hold("relay-member/b/me");
    Doctor.Finding finding = Doctor.examine(pool, "sluice");
    assertThat(finding.problems()).isEmpty();
    assertThat(finding.text().lines().filter(line -> line.matches("(reader|lease) .*")))
        .satisfiesExactly(
            line -> assertThat(line).contains("backfill/a/0: at position 0, "),
            line -> assertThat(line).contains("mine: 1 behind, at position 0, "),
            line -> assertThat(line).contains("no relay has a checkpoint"),
            line -> assertThat(line).contains("relay-member/b/me: me for"),
            line -> assertThat(line).contains("subscription/a/0: nobody, last me"));
  }

  @Test
  void itSaysWhichSchemasHaveAStore() throws Exception {
    JdbcStorage.builder(pool).schema("another").build().close();
    String stores = "; those with a store are: another, sluice";
    assertThat(Doctor.examine(pool, "sluise").problems())
        .containsExactly("there is no schema sluise in this database" + stores);
    assertThat(Doctor.examine(pool, "public").problems())
        .containsExactly("the schema public holds no store" + stores);
    try (Connection connection = pool.getConnection()) {
      execute(connection, "drop schema another cascade; drop schema sluice cascade");
    }
    assertThat(Doctor.examine(pool, "sluice").problems())
        .containsExactly(
            "there is no schema sluice in this database, and there is no store in any other;"
                + " start a JdbcStorage, or run what schemaSql() returns");
    assertThatThrownBy(() -> Doctor.examine(pool, "Sluice"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'Sluice' is not a schema name");
  }

  @Test
  void itGoesOnForAUserWhoOnlyReads() throws Exception {
    append();
    try (Connection connection = pool.getConnection();
        OtherUser user = OtherUser.of(database)) {
      execute(connection, "grant usage on schema sluice to " + user.name());
      execute(connection, "grant select on all tables in schema sluice to " + user.name());
      Doctor.Finding blind = Doctor.examine(user.dataSource(), "sluice");
      assertThat(blind.problems())
          .containsExactly(
              "the sequence commit_number may not be read by this user; grant usage, select on"
                  + " sequence \"sluice\".commit_number to it");
      assertThat(blind.text())
          .contains("last commit number drawn  unknown", "last event stored         position 65536")
          .contains("last event readable       unknown", "table ");
      execute(connection, "grant select on sequence sluice.commit_number to " + user.name());
      assertThat(Doctor.examine(user.dataSource(), "sluice").problems()).isEmpty();
      execute(connection, "alter sequence sluice.commit_number restart");
      assertThat(Doctor.examine(user.dataSource(), "sluice").problems())
          .anyMatch(
              problem ->
                  problem.contains(
                      "was never drawn from; run: select nextval('\"sluice\".commit_number')"));
    }
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
    assertThat(run(1, url(), "elsewhere")).contains("PROBLEM", "there is no schema elsewhere");
    assertThat(run(2, url(), "no schema")).contains("'no schema' is not a schema name");
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

  /** Counts the failures. */
  private record Counting(CountDownLatch failures) implements SubscriptionListener {

    @Override
    public void handled(String subscription, int partition, int events, Duration time) {}

    @Override
    public void retrying(String subscription, int partition, int attempts, String error) {
      failures.countDown();
    }

    @Override
    public void parked(String subscription, int partition, String error) {
      failures.countDown();
    }

    @Override
    public void stopped(String subscription, int partition, String error) {
      failures.countDown();
    }
  }
}
