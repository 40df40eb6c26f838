package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.projection.ProjectionVersions;
import dev.sluice.core.projection.Rebuild;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jdbi.v3.core.ConnectionException;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class JdbcProjectionsTest {

  private static final Duration BOUND = Duration.ofSeconds(30);

  private PostgresDatabase database;
  private HikariDataSource pool;
  private JdbcStorage storage;
  private Jdbi jdbi;

  @BeforeEach
  void open() {
    database = PostgresServer.shared().newDatabase();
    HikariConfig config = new HikariConfig();
    config.setDataSource(database.dataSource());
    pool = new HikariDataSource(config);
    storage = JdbcStorage.create(pool);
    jdbi = Jdbi.create(pool);
    jdbi.useHandle(handle -> BalancesView.create(handle, "balances"));
  }

  @AfterEach
  void close() {
    storage.close();
    pool.close();
  }

  @Test
  void U2_theViewEqualsAFreshFoldWhereverAProcessIsKilledInTheMiddleOfABatch() throws Exception {
    fill(30, 100);
    Random random = new Random(42);
    for (int kill = 0; kill < 20; kill++) {
      int at = 1 + random.nextInt(100);
      killAt(at);
      Checkpoint checkpoint = assertViewIsExact();
      assertThat(checkpoint.position()).as("kill %s, at event %s", kill, at).isNotNull();
    }
    var projection = BalancesView.projection("balances", "balances", event -> {});
    try (Subscriptions here = quick()) {
      here.start(
          projection
              .subscription()
              .failures(ProjectionProcess.PATIENT)
              .processor(JdbcProjections.transactional(storage, projection)));
      assertThat(here.await("balances", storage.globalLog().status().head(), BOUND)).isTrue();
    }
    assertViewIsExact();
    long events =
        jdbi.withHandle(
            handle ->
                handle.createQuery("select sum(events) from balances").mapTo(Long.class).one());
    assertThat(events).isEqualTo(3_000);
  }

  @Test
  void U4_anEventThatTheViewRefusesIsParkedAndItsBatchStaysExact() {
    jdbi.useHandle(
        handle ->
            handle.execute("alter table balances add check (cents < 1000000 or account <> 'a3')"));
    fill(10, 10);
    storage
        .eventStore()
        .append(account(3), ExpectedVersion.any(), BalancesView.deposits(5_000_000, 1));
    AppendResult last =
        storage.eventStore().append(account(4), ExpectedVersion.any(), BalancesView.deposits(1, 1));
    var projection = BalancesView.projection("balances", "balances", event -> {});
    try (Subscriptions here = quick()) {
      here.start(
          projection
              .subscription()
              .failures(
                  FailurePolicy.PARK.withAttempts(2, Duration.ofMillis(1), Duration.ofMillis(1)))
              .processor(JdbcProjections.transactional(storage, projection)));
      assertThat(here.await("balances", last.position(), BOUND)).isTrue();
      SubscriptionStatus status = here.status().getFirst();
      assertThat(status.parked()).hasSize(1);
      assertThat(status.parked().getFirst().stream()).isEqualTo(account(3));
      assertThat(status.parked().getFirst().error()).contains("check constraint");
      here.skip("balances", account(3), "anna", "a typing error");
      long until = System.nanoTime() + BOUND.toNanos();
      while (!here.status().getFirst().parked().isEmpty() && System.nanoTime() < until) {
        Thread.onSpinWait();
      }
      assertThat(here.status().getFirst().parked()).isEmpty();
    }
    List<RecordedEvent> wanted =
        log(storage.globalLog().status().head()).stream()
            .filter(e -> !(e.stream().equals(account(3)) && e.version() == 11))
            .toList();
    assertThat(view()).isEqualTo(BalancesView.fold(wanted));
  }

  @Test
  void U4_whatJdbiOrATimeLimitRefusesIsCountedAndNotTakenForAnOutage() {
    for (int i = 0; i < 3; i++) {
      storage.eventStore().append(account(i), ExpectedVersion.any(), BalancesView.deposits(i, 1));
    }
    AppendResult last =
        storage.eventStore().append(account(4), ExpectedVersion.any(), BalancesView.deposits(1, 1));
    var projection =
        Projection.<Handle>named("balances", BalancesView.CODEC)
            .on(
                BalancesView.Deposited.class,
                (handle, event, recorded) -> {
                  if (recorded.stream().equals(account(0))) {
                    handle.createUpdate("delete from balances where cents = :missing").execute();
                  } else if (recorded.stream().equals(account(1))) {
                    handle.execute("set local statement_timeout = '1ms'");
                    handle.execute("select pg_sleep(10)");
                  } else if (recorded.stream().equals(account(2))) {
                    throw new ConnectionException(new SQLException("no state"));
                  }
                })
            .build();
    try (Subscriptions here = quick()) {
      here.start(
          projection
              .subscription()
              .failures(
                  FailurePolicy.PARK.withAttempts(2, Duration.ofMillis(1), Duration.ofMillis(1)))
              .processor(JdbcProjections.transactional(storage, projection)));
      assertThat(here.await("balances", last.position(), BOUND))
          .as(() -> "parked, and the others go on: " + here.status())
          .isTrue();
      assertThat(here.status().getFirst().parked())
          .extracting(SubscriptionStatus.Parked::stream)
          .containsExactlyInAnyOrder(account(0), account(1), account(2));
    }
  }

  @Test
  void U3_anOwnerThatStandsStillInsideABatchHoldsTheNextOneUpForAWhileOnly() {
    fill(1, 3);
    Position last = storage.globalLog().status().head();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    var halfDead =
        BalancesView.projection(
            "balances",
            "balances",
            event -> {
              inside.countDown();
              await(goOn);
            });
    var healthy = BalancesView.projection("balances", "balances", event -> {});
    try (Subscriptions first = quick();
        Subscriptions second = quick()) {
      first.start(
          halfDead
              .subscription()
              .processor(JdbcProjections.transactional(storage, halfDead, Duration.ofMillis(500))));
      await(inside);
      storage.leases().list("subscription/balances/").forEach(storage.leases()::release);
      second.start(
          healthy.subscription().processor(JdbcProjections.transactional(storage, healthy)));
      assertThat(second.await("balances", last, BOUND)).as("%s", second.status()).isTrue();
      goOn.countDown();
    }
    assertThat(view()).isEqualTo(BalancesView.fold(log(last)));
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(90, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void U5_aViewIsMadeAnewBesideTheOldOneWhichAnswersUntilTheSwitch() {
    fill(20, 100);
    jdbi.useHandle(handle -> BalancesView.create(handle, "balances_v2"));
    ProjectionVersions versions = new ProjectionVersions(storage);
    versions.switchTo("balances", "balances");
    var second = BalancesView.projection("balances:v2", "balances_v2", event -> {});
    try (Subscriptions here = quick()) {
      Rebuild rebuild =
          versions.rebuild(
              "balances",
              "balances_v2",
              here,
              second.subscription().processor(JdbcProjections.transactional(storage, second)),
              second.filter());
      assertThat(rebuild.await(BOUND)).isTrue();
      assertThat(rebuild.progress().done()).isEqualTo(2_000);
      assertThat(rebuild.progress().switched()).isTrue();
    }
    assertThat(versions.active("balances")).contains("balances_v2");
    assertThat(
            jdbi.<Map<String, List<Long>>, RuntimeException>withHandle(
                handle -> BalancesView.read(handle, "balances_v2")))
        .isEqualTo(BalancesView.fold(log(storage.globalLog().status().head())));
  }

  @Test
  void inlineViewsChangeWithTheAppendOrNotAtAll() {
    var projection =
        BalancesView.projection(
            "inline",
            "balances",
            event -> {
              if (event.stream().equals(account(9))) {
                throw new IllegalStateException("no");
              }
            });
    Storage inline = JdbcProjections.inline(storage, List.of(projection));
    var events = BalancesView.deposits(1, 3);
    inline.eventStore().append(account(1), ExpectedVersion.noStream(), events);
    assertThat(view()).isEqualTo(Map.of("a1", List.of(6L, 3L)));
    inline.eventStore().append(account(1), ExpectedVersion.noStream(), events);
    assertThat(view()).as("a repeated append").isEqualTo(Map.of("a1", List.of(6L, 3L)));
    assertThatThrownBy(
            () ->
                inline
                    .eventStore()
                    .append(account(9), ExpectedVersion.any(), BalancesView.deposits(1, 1)))
        .hasMessage("no");
    assertThat(storage.eventStore().readFrom(account(9), 1)).isEmpty();
    assertThat(view()).isEqualTo(Map.of("a1", List.of(6L, 3L)));
  }

  @Test
  void anInlineViewChangesOnceAlsoIfTheCommitWhoseReplyWasLostIsStillOnItsWay() throws Exception {
    var projection = BalancesView.projection("inline", "balances", event -> {});
    Storage inline = JdbcProjections.inline(storage, List.of(projection));
    Append append = new Append(account(1), ExpectedVersion.noStream(), BalancesView.deposits(1, 3));
    AppendResult first;
    Future<AppendResult> repetition;
    try (ExecutorService executor = Executors.newSingleThreadExecutor();
        Handle handle = jdbi.open()) {
      handle.begin();
      // The first try, as the server has it before its commit.
      first = storage.join(handle).eventStore().append(append);
      handle.execute("insert into balances values ('a1', 6, 3)");
      repetition = executor.submit(() -> inline.eventStore().append(append));
      awaitBlocked();
      handle.commit();
      assertThat(repetition.get(30, TimeUnit.SECONDS)).isEqualTo(first);
    }
    assertThat(view()).isEqualTo(Map.of("a1", List.of(6L, 3L)));
  }

  /** Until a statement waits for somebody else's transaction. */
  private void awaitBlocked() {
    long until = System.nanoTime() + BOUND.toNanos();
    while (jdbi.withHandle(
        handle ->
            handle
                    .createQuery(
                        "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                            + " and datname = current_database()")
                    .mapTo(Long.class)
                    .one()
                == 0)) {
      assertThat(System.nanoTime()).as("the repetition waits").isLessThan(until);
    }
  }

  private Subscriptions quick() {
    return Subscriptions.builder(storage).leaseDuration(Duration.ofMillis(400)).build();
  }

  private static StreamId account(int number) {
    return StreamId.of("account", "a" + number);
  }

  private void fill(int streams, int each) {
    for (int i = 0; i < streams; i++) {
      storage
          .eventStore()
          .append(account(i), ExpectedVersion.any(), BalancesView.deposits(i, each));
    }
  }

  /** Runs the projection in a JVM of its own, and kills that while it is inside a batch. */
  private void killAt(int event) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx64m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xshare:auto",
                "-cp",
                System.getProperty("java.class.path"),
                ProjectionProcess.class.getName(),
                database.url(),
                database.user(),
                database.password(),
                Integer.toString(event))
            .redirectErrorStream(true)
            .start();
    List<String> output = new ArrayList<>();
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      String line = lines.readLine();
      while (line != null && !line.equals(ProjectionProcess.INSIDE)) {
        output.add(line);
        line = lines.readLine();
      }
      assertThat(line).as("the process got into a batch: %s", output).isNotNull();
    } finally {
      process.destroyForcibly();
      assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  /** View and checkpoint, as they are in one snapshot, must agree with the log. */
  private Checkpoint assertViewIsExact() {
    return storage.inTransaction(
        transaction -> {
          Handle handle = transaction.handle();
          handle.execute("lock table balances in share mode");
          Checkpoint checkpoint =
              transaction.checkpoints().load("subscription/balances/0").orElseThrow();
          assertThat(BalancesView.read(handle, "balances"))
              .isEqualTo(BalancesView.fold(log(checkpoint.position())));
          return checkpoint;
        });
  }

  private Map<String, List<Long>> view() {
    return jdbi.withHandle(handle -> BalancesView.read(handle, "balances"));
  }

  private List<RecordedEvent> log(Position upTo) {
    List<RecordedEvent> all = new ArrayList<>();
    Position cursor = Position.START;
    while (true) {
      LogPage page = storage.globalLog().read(cursor, EventFilter.ALL, 1_000);
      page.events().stream().filter(e -> !e.position().isAfter(upTo)).forEach(all::add);
      if (page.events().isEmpty()) {
        return all;
      }
      cursor = page.next();
    }
  }
}
