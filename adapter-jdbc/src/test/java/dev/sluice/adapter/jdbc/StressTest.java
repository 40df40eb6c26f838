package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Many writers in two storages, whose transactions are held open, rolled back and killed, whose
 * connections are killed under the append queue as well, and readers of the log and of the outbox
 * that follow. {@code -Dsluice.test.stress.appends=20000} makes it long.
 */
class StressTest {

  private static final int WRITERS = 16;
  private static final int APPENDS = Integer.getInteger("sluice.test.stress.appends", 300);
  private static final int STREAMS = 40;
  private static final int KILL_EACH = 200;
  private static final long HOLD_AT_MOST = TimeUnit.MILLISECONDS.toNanos(50);

  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private final Map<UUID, Position> acknowledged = new ConcurrentHashMap<>();
  private final Set<UUID> messages = ConcurrentHashMap.newKeySet();
  private final Set<UUID> refused = ConcurrentHashMap.newKeySet();
  private final AtomicInteger done = new AtomicInteger();
  private final AtomicInteger unknown = new AtomicInteger();

  @Test
  void G2_S1_whatAFollowerReadsLiveIsTheLogThatIsReadAfterwards() throws Exception {
    try (HikariDataSource writing = PostgresFixture.pool(named("writers"), WRITERS);
        HikariDataSource reading = PostgresFixture.pool(database, WRITERS);
        JdbcStorage one = JdbcStorage.create(writing);
        JdbcStorage two = JdbcStorage.create(writing);
        JdbcStorage readers = JdbcStorage.create(reading);
        ExecutorService executor = Executors.newFixedThreadPool(WRITERS + 3)) {
      AtomicBoolean stop = new AtomicBoolean();
      Future<List<RecordedEvent>> reader = executor.submit(() -> follow(readers, stop));
      Future<List<OutboxMessage>> relay = executor.submit(() -> followOutbox(readers, stop));
      Future<?> killer = executor.submit(() -> killAppends(stop));
      List<Future<?>> writers = new ArrayList<>();
      writers.add(executor.submit(() -> stall(readers)));
      for (int writer = 1; writer < WRITERS; writer++) {
        JdbcStorage storage = writer % 2 == 0 ? one : two;
        Random random = new Random(writer);
        writers.add(executor.submit(() -> write(storage, random)));
      }
      for (Future<?> writer : writers) {
        writer.get(30, TimeUnit.MINUTES);
      }
      stop.set(true);
      killer.get(5, TimeUnit.MINUTES);
      List<RecordedEvent> live = reader.get(5, TimeUnit.MINUTES);
      List<RecordedEvent> log = Events.readAll(readers.globalLog());

      assertThat(live).hasSameSizeAs(log);
      Map<UUID, Position> stored = new HashMap<>();
      Map<StreamId, Long> versions = new HashMap<>();
      Position last = Position.START;
      for (int i = 0; i < log.size(); i++) {
        RecordedEvent event = log.get(i);
        assertThat(live.get(i)).isEqualTo(event);
        assertThat(event.position()).isGreaterThan(last);
        last = event.position();
        assertThat(event.version()).isEqualTo(versions.merge(event.stream(), 1L, Long::sum));
        assertThat(stored.put(event.id(), event.position())).isNull();
      }
      assertThat(stored).containsExactlyInAnyOrderEntriesOf(acknowledged);
      Set<UUID> both = new HashSet<>(stored.keySet());
      both.retainAll(refused);
      assertThat(both).isEmpty();
      assertThat(acknowledged.size()).isGreaterThan(APPENDS * WRITERS / 2);
      assertThat(refused).isNotEmpty();
      assertThat(unknown).as("appends whose connection was killed").hasPositiveValue();

      List<OutboxMessage> sent = new ArrayList<>();
      readOutbox(readers, sent);
      assertThat(relay.get(5, TimeUnit.MINUTES)).isEqualTo(sent);
      last = Position.START;
      Set<UUID> sentIds = new HashSet<>();
      for (OutboxMessage message : sent) {
        assertThat(message.position()).isGreaterThan(last);
        last = message.position();
        assertThat(sentIds.add(message.message().id())).isTrue();
      }
      assertThat(sentIds).isEqualTo(messages);
    }
  }

  private PostgresDatabase named(String application) {
    String separator = database.url().contains("?") ? "&" : "?";
    return new PostgresDatabase(
        database.url() + separator + "ApplicationName=" + application,
        database.user(),
        database.password());
  }

  /** One append that stays open until a tenth of all others have ended. */
  private @Nullable Void stall(JdbcStorage storage) throws SQLException {
    NewEvent event = Events.event(1);
    StreamId stream = StreamId.of("account", "stalled");
    try (Connection connection = database.dataSource().getConnection()) {
      connection.setAutoCommit(false);
      Position at =
          storage
              .join(connection)
              .eventStore()
              .append(stream, ExpectedVersion.noStream(), List.of(event))
              .position();
      while (done.get() < APPENDS * WRITERS / 10) {
        LogPage page = storage.globalLog().read(at, EventFilter.ALL, 10);
        assertThat(page.events()).as("G4: readable behind an open append").isEmpty();
        LockSupport.parkNanos(HOLD_AT_MOST);
      }
      connection.commit();
      acknowledged.put(event.id(), at);
      event.messages().forEach(message -> messages.add(message.id()));
    }
    storage.appended();
    return null;
  }

  private @Nullable Void write(JdbcStorage storage, Random random) throws SQLException {
    for (int i = 0; i < APPENDS; i++) {
      List<NewEvent> events = new ArrayList<>();
      for (int n = 0; n <= random.nextInt(3); n++) {
        events.add(Events.event(random.nextInt(2)));
      }
      StreamId stream = StreamId.of("account", "" + random.nextInt(STREAMS));
      int kind = random.nextInt(100);
      if (kind < 70) {
        append(storage.eventStore(), stream, expected(random), events);
      } else {
        inTransaction(storage, stream, events, kind);
      }
      done.incrementAndGet();
    }
    return null;
  }

  private static ExpectedVersion expected(Random random) {
    return random.nextInt(4) == 0
        ? ExpectedVersion.exactly(random.nextInt(20))
        : ExpectedVersion.any();
  }

  private void append(
      EventStore store, StreamId stream, ExpectedVersion expected, List<NewEvent> events) {
    while (true) {
      try {
        acknowledge(store.append(stream, expected, events), events);
        return;
      } catch (VersionConflictException e) {
        refuse(events);
        return;
      } catch (StoreUnavailableException e) {
        // Its connection was killed, perhaps after the commit: repeated until it is known.
        unknown.incrementAndGet();
      }
    }
  }

  private void inTransaction(JdbcStorage storage, StreamId stream, List<NewEvent> events, int kind)
      throws SQLException {
    try (Connection connection = database.dataSource().getConnection()) {
      connection.setAutoCommit(false);
      AppendResult result =
          storage.join(connection).eventStore().append(stream, ExpectedVersion.any(), events);
      hold();
      if (kind < 85) {
        connection.commit();
        acknowledge(result, events);
        storage.appended();
      } else if (kind < 95) {
        connection.rollback();
        refuse(events);
      } else {
        kill(connection);
        refuse(events);
      }
    }
  }

  /** Until others have got on, so that this append ends later than some that began later. */
  private void hold() {
    int until = done.get() + 5;
    long end = System.nanoTime() + HOLD_AT_MOST;
    while (done.get() < until && System.nanoTime() < end) {
      LockSupport.parkNanos(100_000);
    }
  }

  private void kill(Connection victim) throws SQLException {
    try (Statement ask = victim.createStatement();
        ResultSet row = ask.executeQuery("select pg_backend_pid()")) {
      row.next();
      try (Connection connection = database.dataSource().getConnection();
          Statement kill = connection.createStatement()) {
        kill.execute("select pg_terminate_backend(" + row.getInt(1) + ", 10000)");
      }
    }
  }

  /** Kills a connection of the writers' pool in the middle of something, from time to time. */
  private @Nullable Void killAppends(AtomicBoolean stop) throws SQLException {
    int next = 0;
    try (Connection connection = database.dataSource().getConnection();
        Statement kill = connection.createStatement()) {
      while (!stop.get()) {
        if (done.get() >= next) {
          try (ResultSet killed =
              kill.executeQuery(
                  "select pg_terminate_backend(pid) from pg_stat_activity"
                      + " where datname = current_database() and state = 'active'"
                      + " and application_name = 'writers' limit 1")) {
            next = killed.next() ? done.get() + KILL_EACH : next;
          }
        }
        LockSupport.parkNanos(1_000_000);
      }
    }
    return null;
  }

  private void acknowledge(AppendResult result, List<NewEvent> events) {
    for (int i = 0; i < events.size(); i++) {
      int before = events.size() - 1 - i;
      Position position = new Position(result.position().value() - before);
      acknowledged.put(events.get(i).id(), position);
      events.get(i).messages().forEach(message -> messages.add(message.id()));
    }
  }

  private void refuse(List<NewEvent> events) {
    events.forEach(event -> refused.add(event.id()));
  }

  private static List<RecordedEvent> follow(JdbcStorage storage, AtomicBoolean stop) {
    List<RecordedEvent> live = new ArrayList<>();
    Position after = Position.START;
    while (true) {
      boolean last = stop.get();
      LogPage page = storage.globalLog().read(after, EventFilter.ALL, 100);
      live.addAll(page.events());
      after = page.next();
      if (last && !page.more()) {
        return live;
      }
    }
  }

  private static List<OutboxMessage> followOutbox(JdbcStorage storage, AtomicBoolean stop) {
    List<OutboxMessage> live = new ArrayList<>();
    while (!stop.get()) {
      readOutbox(storage, live);
    }
    readOutbox(storage, live);
    return live;
  }

  /** Reads on behind what was read. */
  private static void readOutbox(JdbcStorage storage, List<OutboxMessage> read) {
    List<OutboxMessage> page;
    do {
      Position after = read.isEmpty() ? Position.START : read.getLast().position();
      page = storage.outbox().read(after, 100);
      read.addAll(page);
    } while (!page.isEmpty());
  }
}
