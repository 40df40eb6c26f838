package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.StreamRange;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Appends that share a commit: while somebody holds one of their streams open, and their
 * connections.
 */
@Timeout(60)
class AppendQueueTest {

  private static final StreamId HELD = StreamId.of("account", "held");
  private static final StreamId ALSO_HELD = StreamId.of("account", "also-held");
  private static final StreamId FREE = StreamId.of("account", "free");
  private static final int CONNECTIONS = 4;

  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private HikariDataSource pool;
  private JdbcStorage storage;

  @BeforeEach
  void open() {
    pool = PostgresFixture.pool(database, CONNECTIONS);
    pool.setConnectionTimeout(2_000);
    storage = JdbcStorage.builder(pool).notifyAcrossProcesses(false).build();
  }

  @AfterEach
  void close() {
    storage.close();
    pool.close();
  }

  @Test
  void whoWaitsForAHeldStreamTakesOneConnectionTogether() throws Exception {
    int waiting = 3 * CONNECTIONS;
    try (ExecutorService executor = Executors.newFixedThreadPool(waiting);
        Connection holder = holding(HELD)) {
      List<Future<AppendResult>> held = new ArrayList<>();
      for (int i = 0; i < waiting; i++) {
        held.add(executor.submit(() -> append(HELD)));
      }
      awaitLockWaiters(1);
      // Long enough for each of them to leave the queue, if it did so beside another one.
      long end = System.nanoTime() + 2L * CONNECTIONS * AppendQueue.LOCK_TIMEOUT_MILLIS * 1_000_000;
      int appended = 0;
      while (System.nanoTime() < end || appended < 10) {
        append(FREE);
        appended++;
        assertThat(lockWaiters()).isLessThanOrEqualTo(1);
      }
      assertThat(storage.eventStore().read(FREE, StreamRange.forwards(appended, 10))).hasSize(1);
      holder.rollback();
      for (Future<AppendResult> append : held) {
        append.get(20, TimeUnit.SECONDS);
      }
    }
    assertThat(storage.eventStore().read(HELD, StreamRange.forwards(1, 100))).hasSize(waiting);
  }

  @Test
  void anInterruptOfWhoLeadsAGroupIsNotForTheOthers() throws Exception {
    Database direct = new Database(pool, "sluice");
    EventKinds kinds = new EventKinds(direct);
    AppendQueue queue = new AppendQueue(direct, 1, 30_000);
    try (Connection first = holding(HELD);
        Connection second = holding(ALSO_HELD)) {
      CompletableFuture<AppendResult> inTheLane = new CompletableFuture<>();
      CompletableFuture<AppendResult> leads = new CompletableFuture<>();
      CompletableFuture<AppendResult> isTakenAlong = new CompletableFuture<>();
      start(Thread.ofVirtual(), inTheLane, () -> queue.append(ready(HELD, kinds)));
      awaitLockWaiters(1);
      Thread leader = start(Thread.ofVirtual(), leads, () -> queue.append(ready(ALSO_HELD, kinds)));
      awaitParked(leader);
      Thread other =
          start(Thread.ofPlatform(), isTakenAlong, () -> queue.append(ready(FREE, kinds)));
      awaitParked(other);
      first.rollback();
      inTheLane.get(20, TimeUnit.SECONDS);
      awaitLockWaiters(1);
      // A virtual thread that is interrupted while it waits for a reply breaks its connection.
      leader.interrupt();
      assertThatThrownBy(() -> leads.get(20, TimeUnit.SECONDS))
          .hasCauseInstanceOf(StoreUnavailableException.class);
      second.rollback();
      assertThat(isTakenAlong.get(20, TimeUnit.SECONDS).version()).isEqualTo(1);
    }
    assertThat(storage.eventStore().read(FREE, StreamRange.forwards(1, 10))).hasSize(1);
  }

  @Test
  void aStreamIsFreeAgainAfterAnAppendThatFailedByAnythingElse() throws Exception {
    AtomicBoolean broken = new AtomicBoolean();
    DataSource breaking =
        beforeEachConnection(
            () -> {
              if (broken.get()) {
                throw new IllegalStateException("broken on purpose");
              }
            });
    try (JdbcStorage other = JdbcStorage.builder(breaking).notifyAcrossProcesses(false).build()) {
      append(other, FREE);
      broken.set(true);
      for (int i = 0; i < 2; i++) {
        CompletableFuture<AppendResult> outcome = new CompletableFuture<>();
        start(Thread.ofVirtual(), outcome, () -> append(other, FREE));
        assertThatThrownBy(() -> outcome.get(20, TimeUnit.SECONDS))
            .hasCauseInstanceOf(IllegalStateException.class);
      }
      broken.set(false);
      assertThat(append(other, FREE).version()).isEqualTo(2);
    }
  }

  @Test
  void aLaneKeepsItsConnectionFromGroupToGroup() throws Exception {
    AtomicInteger borrowed = new AtomicInteger();
    DataSource counting = beforeEachConnection(borrowed::incrementAndGet);
    try (JdbcStorage ofGroups =
        JdbcStorage.builder(counting).notifyAcrossProcesses(false).build()) {
      appendTogether(ofGroups, 2, 1);
      borrowed.set(0);
      long before = commits(ofGroups);
      appendTogether(ofGroups, CONNECTIONS, 200);
      assertThat(borrowed.get()).isLessThan((int) (commits(ofGroups) - before) / 2);
      for (int i = 0; i < 3; i++) {
        await("all are back", () -> activeConnections() == 0);
        appendTogether(ofGroups, CONNECTIONS, 20);
      }
      await("all are back", () -> activeConnections() == 0);
    }
  }

  @Test
  void lanesThatAreKeptLeaveTheOnlyConnectionToTheOthers() throws Exception {
    try (HikariDataSource one = PostgresFixture.pool(database, 1)) {
      one.setConnectionTimeout(900);
      try (JdbcStorage small = JdbcStorage.builder(one).notifyAcrossProcesses(false).build()) {
        appendTogether(small, 64, 800);
      }
    }
  }

  @Test
  void aStorageThatIsClosedHasGivenItsConnectionsBack() throws Exception {
    for (int i = 0; i < 20; i++) {
      try (JdbcStorage one = JdbcStorage.builder(pool).notifyAcrossProcesses(false).build()) {
        appendTogether(one, CONNECTIONS, 20);
      }
      assertThat(activeConnections()).isZero();
    }
  }

  @Test
  void aStorageThatIsClosedTakesNoMoreAppends() throws Exception {
    JdbcStorage closing = JdbcStorage.builder(pool).notifyAcrossProcesses(false).build();
    try (ExecutorService executor = Executors.newFixedThreadPool(CONNECTIONS)) {
      AtomicInteger appended = new AtomicInteger();
      List<Future<AppendResult>> all =
          inThreads(
              executor,
              CONNECTIONS,
              stream -> {
                while (true) {
                  append(closing, stream);
                  appended.incrementAndGet();
                }
              });
      await("appends are under way", () -> appended.get() > 100);
      closing.close();
      int before = appended.get();
      for (Future<AppendResult> each : all) {
        assertThatThrownBy(() -> each.get(20, TimeUnit.SECONDS))
            .hasCauseInstanceOf(IllegalStateException.class);
      }
      // Those that were under way.
      assertThat(appended.get() - before).isLessThanOrEqualTo(CONNECTIONS);
      assertThat(activeConnections()).isZero();
    }
  }

  private DataSource beforeEachConnection(Runnable before) {
    return (DataSource)
        Proxy.newProxyInstance(
            DataSource.class.getClassLoader(),
            new Class<?>[] {DataSource.class},
            (proxy, method, arguments) -> {
              before.run();
              return pool.getConnection();
            });
  }

  /** Each thread to a stream of its own. */
  private static void appendTogether(JdbcStorage storage, int threads, int appends)
      throws Exception {
    CyclicBarrier start = new CyclicBarrier(threads);
    try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
      List<Future<AppendResult>> all =
          inThreads(
              executor,
              threads,
              stream -> {
                start.await();
                AppendResult last = append(storage, stream);
                for (int i = 1; i < appends; i++) {
                  last = append(storage, stream);
                }
                return last;
              });
      for (Future<AppendResult> each : all) {
        each.get(30, TimeUnit.SECONDS);
      }
    }
  }

  /** What one thread does with its stream. */
  private interface Appending {
    AppendResult to(StreamId stream) throws Exception;
  }

  private static List<Future<AppendResult>> inThreads(
      ExecutorService executor, int threads, Appending appending) {
    List<Future<AppendResult>> all = new ArrayList<>();
    for (int thread = 0; thread < threads; thread++) {
      StreamId stream = StreamId.of("account", "of-thread-" + thread);
      all.add(executor.submit(() -> appending.to(stream)));
    }
    return all;
  }

  private int activeConnections() {
    return pool.getHikariPoolMXBean().getActiveConnections();
  }

  private static long commits(JdbcStorage storage) {
    return append(storage, FREE).position().value() >> 16;
  }

  private AppendResult append(StreamId stream) {
    return append(storage, stream);
  }

  private static AppendResult append(JdbcStorage storage, StreamId stream) {
    return storage.eventStore().append(stream, ExpectedVersion.any(), List.of(Events.event(0)));
  }

  private static ReadyAppend ready(StreamId stream, EventKinds kinds) {
    return ReadyAppend.of(
        new Append(stream, ExpectedVersion.any(), List.of(Events.event(0))), kinds);
  }

  /** A transaction that has appended to a stream, and goes on. */
  private Connection holding(StreamId stream) throws SQLException {
    Connection connection = database.dataSource().getConnection();
    connection.setAutoCommit(false);
    storage
        .join(connection)
        .eventStore()
        .append(stream, ExpectedVersion.any(), List.of(Events.event(0)));
    return connection;
  }

  private static Thread start(
      Thread.Builder builder,
      CompletableFuture<AppendResult> outcome,
      java.util.function.Supplier<AppendResult> append) {
    return builder.start(
        () -> {
          try {
            outcome.complete(append.get());
          } catch (RuntimeException e) {
            outcome.completeExceptionally(e);
          }
        });
  }

  private static void awaitParked(Thread thread) throws Exception {
    await("the thread waits", () -> thread.getState() == Thread.State.TIMED_WAITING);
  }

  private void awaitLockWaiters(int count) throws Exception {
    await(count + " wait for a lock", () -> lockWaiters() == count);
  }

  private static void await(String what, Callable<Boolean> condition) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.call()) {
      assertThat(System.nanoTime()).as(what).isLessThan(end);
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** How many backends wait for another transaction. */
  private int lockWaiters() throws SQLException {
    try (Connection connection = database.dataSource().getConnection();
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "select count(*) from pg_stat_activity"
                    + " where datname = current_database() and wait_event = 'transactionid'")) {
      row.next();
      return row.getInt(1);
    }
  }
}
