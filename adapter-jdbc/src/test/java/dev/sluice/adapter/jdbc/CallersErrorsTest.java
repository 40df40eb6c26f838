package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.NotStorableException;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jdbi.v3.core.JdbiException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What callers are refused for is told from an outage, which whoever meets it waits out. */
class CallersErrorsTest {

  private static final StreamId STREAM = StreamId.of("account", "42");
  private static final String TAKEN = "insert into own values (1, null)";
  private static final String NO_PARENT = "insert into own values (2, 99)";

  private HikariDataSource pool;
  private JdbcStorage storage;

  @BeforeEach
  void open() {
    pool = PostgresFixture.pool(PostgresServer.shared().newDatabase(), 8);
    storage = JdbcStorage.create(pool);
    execute(
        "create table own (id bigint primary key,"
            + " parent bigint references own deferrable initially deferred)");
    execute(TAKEN);
  }

  @AfterEach
  void close() {
    storage.close();
    pool.close();
  }

  @Test
  void whatTheWorkThrowsComesOutAsItIs() {
    for (String refused :
        List.of(
            TAKEN,
            "insert into own values (:missing, null)",
            "set local statement_timeout = 1; select pg_sleep(20)")) {
      assertThatThrownBy(() -> execute(refused)).as(refused).isInstanceOf(JdbiException.class);
    }
    assertThatThrownBy(() -> execute("select pg_terminate_backend(pg_backend_pid())"))
        .isInstanceOf(StoreUnavailableException.class);
  }

  @Test
  void S1_whatIsDoneBesideATransactionIsNotPartOfIt() {
    assertThatThrownBy(
            () ->
                storage.inTransaction(
                    outer -> {
                      append(outer, "outer");
                      storage
                          .checkpoints()
                          .save(Checkpoint.first("own", Position.START, Payload.EMPTY, 0));
                      storage.inTransaction(inner -> append(inner, "committed"));
                      throw new IllegalStateException("on purpose");
                    }))
        .hasMessage("on purpose");
    storage.inTransaction(
        outer -> {
          assertThatThrownBy(
                  () ->
                      storage.inTransaction(
                          inner -> {
                            append(inner, "refused");
                            throw new IllegalStateException("on purpose");
                          }))
              .hasMessage("on purpose");
          return append(outer, "also committed");
        });
    assertThat(storage.checkpoints().load("own")).isPresent();
    assertThat(Events.readAll(storage.globalLog()))
        .extracting(event -> event.stream().id())
        .containsExactly("committed", "also committed");
  }

  private static AppendResult append(JdbcTransaction transaction, String id) {
    return transaction
        .eventStore()
        .append(StreamId.of("account", id), ExpectedVersion.any(), List.of(Events.event(0)));
  }

  @Test
  void S1_aConstraintThatRefusesTheCommitIsARefusalAndNothingIsStored() {
    assertThatThrownBy(
            () ->
                storage.inTransaction(
                    transaction -> {
                      transaction
                          .eventStore()
                          .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
                      return transaction.handle().execute(NO_PARENT);
                    }))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("own_parent_fkey");
    assertThat(Events.readAll(storage.globalLog())).isEmpty();
  }

  @Test
  void U4_aHandlerWhoseStatementsAreRefusedParksTheStream() {
    FailurePolicy twice =
        FailurePolicy.PARK.withAttempts(2, Duration.ofMillis(1), Duration.ofMillis(1));
    Position last =
        storage
            .eventStore()
            .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)))
            .position();
    try (Subscriptions running = Subscriptions.of(storage)) {
      for (String refused : List.of(TAKEN, NO_PARENT)) {
        running.start(
            Subscription.named(refused.equals(TAKEN) ? "at-once" : "at-commit")
                .failures(twice)
                .handler(event -> execute(refused)));
      }
      for (String name : List.of("at-once", "at-commit")) {
        assertThat(running.await(name, last, Duration.ofSeconds(20))).as(name).isTrue();
      }
      assertThat(running.status()).hasSize(2).allMatch(status -> status.parked().size() == 1);
    }
  }

  /** A password that is changed while the service runs, for example. */
  @Test
  void U4_aLoginThatIsRefusedForAWhileIsNoFailureOfTheEvent() throws Exception {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    try (OtherUser user = OtherUser.of(database)) {
      user.execute("alter role " + user.name() + " superuser");
      try (JdbcStorage unpooled = JdbcStorage.create(user.dataSource());
          Subscriptions running = Subscriptions.of(storage)) {
        user.execute("alter role " + user.name() + " nologin");
        CountDownLatch tries = new CountDownLatch(3);
        running.start(
            Subscription.named("other")
                .failures(
                    FailurePolicy.PARK.withAttempts(1, Duration.ofMillis(1), Duration.ofMillis(1)))
                .handler(
                    event -> {
                      tries.countDown();
                      unpooled
                          .eventStore()
                          .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)));
                    }));
        Position last =
            storage
                .eventStore()
                .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0)))
                .position();
        assertThat(tries.await(30, TimeUnit.SECONDS)).as("it is tried again and again").isTrue();
        user.execute("alter role " + user.name() + " login");
        assertThat(running.await("other", last, Duration.ofSeconds(30))).isTrue();
        assertThat(running.status().getFirst().parked()).isEmpty();
        assertThat(unpooled.eventStore().readFrom(STREAM, 1)).hasSize(1);
      }
    }
  }

  @Test
  void S9_whatTextOrAnIndexCannotHoldIsRefused() {
    assertNotStorable(
        () ->
            storage.checkpoints().save(Checkpoint.first("a\0b", Position.START, Payload.EMPTY, 0)));
    assertNotStorable(() -> storage.leases().acquire("a\0b", "me", Duration.ofSeconds(1)));
    assertNotStorable(
        () -> storage.snapshots().save(new Snapshot(STREAM, "a\0b", 1, Payload.EMPTY)));
    // Of different characters, since the server compresses what it puts into an index.
    String type =
        IntStream.range(0, 9_000)
            .mapToObj(i -> Character.toString(0x4e00 + i))
            .collect(Collectors.joining());
    assertNotStorable(
        () ->
            storage
                .eventStore()
                .append(STREAM, ExpectedVersion.any(), List.of(Events.event(type, 0))));
  }

  @Test
  void onlyAnAppendWakesReadersUp() {
    AtomicInteger hints = new AtomicInteger();
    try (JdbcStorage local = JdbcStorage.builder(pool).notifyAcrossProcesses(false).build();
        var registration = local.globalLog().onAppend(hints::incrementAndGet)) {
      assertThat(registration).isNotNull();
      local.inTransaction(transaction -> transaction.handle().execute("select 1"));
      assertThat(hints).hasValue(0);
      local.inTransaction(
          transaction ->
              transaction
                  .eventStore()
                  .append(STREAM, ExpectedVersion.any(), List.of(Events.event(0))));
      assertThat(hints).hasValue(1);
    }
  }

  private static void assertNotStorable(ThrowingCallable call) {
    assertThatThrownBy(call).isInstanceOf(NotStorableException.class);
  }

  private void execute(String sql) {
    storage.inTransaction(transaction -> transaction.handle().execute(sql));
  }
}
