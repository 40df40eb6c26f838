package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.testservers.OwnedPostgres;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** A server that is killed with SIGKILL in the middle of appends, and comes back. */
class CrashTest {

  private static final int WRITERS = 8;
  private static final int CRASHES = 2;

  @Test
  void S1_everyAcknowledgedAppendSurvivesAKilledServerAndNoneIsHalf() throws Exception {
    try (OwnedPostgres server = OwnedPostgres.start()) {
      HikariConfig config = new HikariConfig();
      config.setDataSource(server.newDatabase().dataSource());
      config.setMaximumPoolSize(6);
      config.setConnectionTimeout(1_000);
      try (HikariDataSource pool = new HikariDataSource(config);
          JdbcStorage storage = JdbcStorage.create(pool);
          ExecutorService executor = Executors.newFixedThreadPool(WRITERS + 1)) {
        Map<UUID, AppendResult> acknowledged = new ConcurrentHashMap<>();
        Map<Position, UUID> readLive = new ConcurrentHashMap<>();
        AtomicBoolean stop = new AtomicBoolean();
        List<Future<?>> running = new ArrayList<>();
        for (int writer = 0; writer < WRITERS; writer++) {
          StreamId stream = StreamId.of("account", "" + writer);
          running.add(executor.submit(() -> write(storage, stream, acknowledged, stop)));
        }
        running.add(executor.submit(() -> follow(storage, readLive, stop)));

        for (int crash = 1; crash <= CRASHES; crash++) {
          awaitSize(acknowledged, crash * 400);
          server.kill();
          assertThatThrownBy(() -> storage.globalLog().read(Position.START, EventFilter.ALL, 1))
              .isInstanceOf(StoreUnavailableException.class)
              .hasMessageContaining("check that the server runs");
          server.restart();
        }
        awaitSize(acknowledged, (CRASHES + 1) * 400);
        stop.set(true);
        for (Future<?> thread : running) {
          thread.get(60, TimeUnit.SECONDS);
        }

        List<RecordedEvent> log = Events.readAll(storage.globalLog());
        Map<UUID, RecordedEvent> stored = new HashMap<>();
        Map<StreamId, Long> versions = new HashMap<>();
        Set<Position> positions = new HashSet<>();
        for (RecordedEvent event : log) {
          assertThat(stored.put(event.id(), event)).isNull();
          assertThat(positions.add(event.position())).isTrue();
          assertThat(event.version()).isEqualTo(versions.merge(event.stream(), 1L, Long::sum));
        }
        Map<UUID, Position> storedAt = new HashMap<>();
        stored.forEach((id, event) -> storedAt.put(id, event.position()));
        acknowledged.forEach(
            (id, result) -> assertThat(storedAt).containsEntry(id, result.position()));
        // Each append has two events and one message.
        versions.values().forEach(version -> assertThat(version % 2).isZero());
        List<OutboxMessage> messages = new ArrayList<>();
        List<OutboxMessage> page = storage.outbox().read(Position.START, 1_000);
        while (!page.isEmpty()) {
          messages.addAll(page);
          page = storage.outbox().read(page.getLast().position(), 1_000);
        }
        assertThat(messages).hasSize(log.size() / 2);
        // Nobody was shown an event that is gone now, or another one at its place.
        assertThat(readLive).isNotEmpty();
        Map<Position, UUID> now = new HashMap<>();
        log.forEach(event -> now.put(event.position(), event.id()));
        assertThat(now).containsAllEntriesOf(readLive);
      }
    }
  }

  private static void write(
      JdbcStorage storage,
      StreamId stream,
      Map<UUID, AppendResult> acknowledged,
      AtomicBoolean stop) {
    long version = 0;
    while (!stop.get()) {
      List<NewEvent> events = List.of(Events.event(1), Events.event(0));
      while (true) {
        try {
          AppendResult result =
              storage.eventStore().append(stream, ExpectedVersion.exactly(version), events);
          acknowledged.put(events.getLast().id(), result);
          version = result.version();
          break;
        } catch (StoreUnavailableException e) {
          // The outcome is unknown: repeat with the same ids.
        }
      }
    }
  }

  private static void follow(
      JdbcStorage storage, Map<Position, UUID> readLive, AtomicBoolean stop) {
    Position after = Position.START;
    while (!stop.get()) {
      try {
        LogPage page = storage.globalLog().read(after, EventFilter.ALL, 500);
        page.events().forEach(event -> readLive.put(event.position(), event.id()));
        after = page.next();
      } catch (StoreUnavailableException e) {
        // Away for a while; goes on from the same position.
      }
    }
  }

  private static void awaitSize(Map<?, ?> map, int size) throws InterruptedException {
    Instant end = Instant.now().plus(Duration.ofSeconds(90));
    CountDownLatch never = new CountDownLatch(1);
    while (map.size() < size) {
      assertThat(Instant.now()).as("%s of %s appends", map.size(), size).isBefore(end);
      assertThat(never.await(10, TimeUnit.MILLISECONDS)).isFalse();
    }
  }
}
