package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.CLIENT;
import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.event;
import static dev.sluice.adapter.mongo.Mongo.log;
import static dev.sluice.adapter.mongo.Mongo.newDatabase;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.ConnectionString;
import com.mongodb.ReadConcern;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.testservers.FlakyProxy;
import dev.sluice.testservers.MongoServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Writers that die, are slow or are overtaken, replies that get lost, and a server that is away.
 */
class FaultsTest {

  private static FlakyProxy proxy() {
    String host = new ConnectionString(MongoServer.shared().uri()).getHosts().getFirst();
    int colon = host.lastIndexOf(':');
    return colon < 0
        ? FlakyProxy.to(host, 27017)
        : FlakyProxy.to(host.substring(0, colon), Integer.parseInt(host.substring(colon + 1)));
  }

  @Test
  void a_writer_that_died_between_draw_and_insert_delays_readers_by_the_grace_and_loses_nothing() {
    String database = newDatabase();
    Duration grace = Duration.ofMillis(300);
    try (MongoStorage storage = MongoStorage.builder(CLIENT, database).fillAfter(grace).build()) {
      try (Mongo.Held dies =
          new Mongo.Held(database, append("dead", ExpectedVersion.any(), event("never")))) {
        assertThat(dies.isDone()).isFalse();
      }
      append(storage, "1", "behind");
      long start = System.nanoTime();
      assertThat(log(storage)).isEmpty();
      MongoStorageTest.await(() -> !log(storage).isEmpty());
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(grace);
      assertThat(log(storage)).containsExactly("behind");
      assertThat(storage.doctor().fillers()).isEqualTo(1);
    }
  }

  @Test
  void a_dead_writer_delays_readers_by_no_more_than_the_grace() {
    String database = newDatabase();
    try (Mongo.Held dies =
        new Mongo.Held(database, append("dead", ExpectedVersion.any(), event("never")))) {
      assertThat(dies.isDone()).isFalse();
    }
    // Of no length here: the first read goes past.
    try (MongoStorage storage = Mongo.quick(database)) {
      append(storage, "1", "behind");
      assertThat(log(storage)).containsExactly("behind");
    }
  }

  @Test
  void one_reader_fills_and_the_others_do_not_wait_for_it() throws Exception {
    String database = newDatabase();
    try (Mongo.Held dies =
        new Mongo.Held(database, append("dead", ExpectedVersion.any(), event("never")))) {
      assertThat(dies.isDone()).isFalse();
    }
    CountDownLatch filling = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    AtomicInteger fillers = new AtomicInteger();
    Commands commands =
        new Commands(
            command -> {
              if (Commands.isFiller(command) && fillers.incrementAndGet() == 1) {
                filling.countDown();
                Mongo.await(go);
              }
            });
    try (MongoClient client = commands.client();
        MongoStorage storage = Mongo.quick(client, database)) {
      append(storage, "1", "behind");
      CompletableFuture<List<String>> first =
          CompletableFuture.supplyAsync(() -> log(storage), Thread.ofPlatform().daemon()::start);
      Mongo.await(filling);
      assertThat(log(storage)).isEmpty();
      go.countDown();
      first.get(Mongo.SECONDS, TimeUnit.SECONDS);
      assertThat(fillers).hasValue(1);
      MongoStorageTest.await(() -> log(storage).equals(List.of("behind")));
    }
  }

  @Test
  void G3_the_number_of_an_aborted_transaction_does_not_wait_for_the_grace() {
    String name = newDatabase();
    try (MongoStorage storage = Mongo.patient(name)) {
      Database database =
          new Database(CLIENT, name, new Concerns(WriteConcern.JOURNALED, ReadConcern.DEFAULT));
      Counter counter = new Counter(database);
      Joined joined = new Joined();
      Frontier frontier =
          new Frontier(database, counter, joined, new Journal(database), Duration.ofHours(1));
      AtomicBoolean runs = new AtomicBoolean(true);
      joined.drew(counter.draw(1), runs::get);
      append(storage, "1", "behind");
      assertThat(frontier.advance().number()).isZero();
      assertThat(joined.ended()).isEmpty();
      runs.set(false);
      assertThat(joined.ended()).containsExactly(1L);
      assertThat(frontier.advance().number()).isEqualTo(2);
      assertThat(joined.ended()).isEmpty();
      assertThat(log(storage)).containsExactly("behind");
    }
  }

  /** One insert for all that wait: what is refused of it concerns nobody else. */
  @Test
  void S4_an_append_that_conflicts_does_not_fail_those_that_share_its_insert() throws Exception {
    String database = newDatabase();
    CountDownLatch go = new CountDownLatch(1);
    AtomicInteger groups = new AtomicInteger();
    NewEvent taken = event("taken");
    try (MongoStorage other = MongoStorage.create(CLIENT, database);
        MongoStorage storage =
            MongoStorage.builder(CLIENT, database)
                .betweenDrawAndInsert(
                    () -> {
                      groups.incrementAndGet();
                      Mongo.await(go);
                    })
                .build()) {
      append(other, "moved", "first");
      other.eventStore().append(append("elsewhere", ExpectedVersion.noStream(), taken));
      List<CompletableFuture<AppendResult>> results = new ArrayList<>();
      // Those that occupy the committing threads, so that all others wait together.
      for (int i = 0; i < 8; i++) {
        results.add(appending(storage, append("busy" + i, ExpectedVersion.any(), event("b" + i))));
      }
      MongoStorageTest.await(() -> groups.get() == 4);
      CompletableFuture<AppendResult> conflict =
          appending(storage, append("moved", ExpectedVersion.noStream(), event("second")));
      CompletableFuture<AppendResult> duplicate =
          appending(storage, append("2", ExpectedVersion.noStream(), event("e"), taken));
      for (int i = 0; i < 8; i++) {
        results.add(
            appending(storage, append("n" + i, ExpectedVersion.noStream(), event("n" + i))));
      }
      go.countDown();
      for (CompletableFuture<AppendResult> result : results) {
        assertThat(result.get(Mongo.SECONDS, TimeUnit.SECONDS).version()).isEqualTo(1);
      }
      assertThatThrownBy(() -> conflict.get(Mongo.SECONDS, TimeUnit.SECONDS))
          .hasCauseInstanceOf(VersionConflictException.class);
      assertThatThrownBy(() -> duplicate.get(Mongo.SECONDS, TimeUnit.SECONDS))
          .hasCauseInstanceOf(DuplicateEventException.class);
      assertThat(groups.get()).as("draws for 18 appends").isLessThan(18);
      assertThat(log(other)).hasSize(18).doesNotContain("second", "e");
    }
  }

  private static CompletableFuture<AppendResult> appending(MongoStorage storage, Append append) {
    return CompletableFuture.supplyAsync(
        () -> storage.eventStore().append(append), Thread.ofPlatform().daemon()::start);
  }

  @Test
  void an_append_that_hangs_does_not_hold_up_its_stream_for_ever() throws Exception {
    CountDownLatch hangs = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    AtomicBoolean first = new AtomicBoolean(true);
    try (MongoStorage storage =
        MongoStorage.builder(CLIENT, newDatabase())
            .patience(Duration.ofMillis(100))
            .betweenDrawAndInsert(
                () -> {
                  if (first.getAndSet(false)) {
                    hangs.countDown();
                    Mongo.await(go);
                  }
                })
            .build()) {
      CompletableFuture<AppendResult> hanging =
          appending(storage, append("1", ExpectedVersion.any(), event("hangs")));
      Mongo.await(hangs);
      CompletableFuture<AppendResult> next =
          appending(storage, append("1", ExpectedVersion.any(), event("next")));
      assertThat(next.get(Mongo.SECONDS, TimeUnit.SECONDS).version()).isEqualTo(1);
      go.countDown();
      assertThat(hanging.get(Mongo.SECONDS, TimeUnit.SECONDS).version()).isEqualTo(2);
      assertThat(log(storage)).containsExactly("next", "hangs");
    } finally {
      go.countDown();
    }
  }

  @Test
  void a_slow_writer_that_was_filled_over_succeeds_under_a_new_position() throws Exception {
    String database = newDatabase();
    try (MongoStorage storage = Mongo.quick(database);
        Mongo.Held slow =
            new Mongo.Held(database, append("slow", ExpectedVersion.noStream(), event("slow")))) {
      append(storage, "1", "fast");
      assertThat(log(storage)).containsExactly("fast");
      Position passed = storage.globalLog().status().head();
      AppendResult result = slow.release();
      assertThat(result.version()).isEqualTo(1);
      assertThat(result.position().isAfter(passed)).isTrue();
      assertThat(log(storage)).containsExactly("fast", "slow");
    }
  }

  @Test
  void a_slow_writer_whose_stream_moved_meanwhile_gets_a_conflict_and_not_a_place()
      throws Exception {
    String database = newDatabase();
    try (MongoStorage storage = Mongo.quick(database);
        Mongo.Held slow =
            new Mongo.Held(database, append("1", ExpectedVersion.noStream(), event("slow")))) {
      append(storage, "1", "fast");
      assertThat(log(storage)).containsExactly("fast");
      assertThatThrownBy(slow::release)
          .isInstanceOfSatisfying(
              VersionConflictException.class, e -> assertThat(e.actual()).isEqualTo(1));
      assertThat(log(storage)).containsExactly("fast");
    }
  }

  @Test
  void G3_a_loser_fills_its_own_hole_at_once() throws Exception {
    String database = newDatabase();
    try (MongoStorage storage = Mongo.patient(database);
        Mongo.Held loser =
            new Mongo.Held(database, append("1", ExpectedVersion.noStream(), event("loser")))) {
      append(storage, "1", "winner");
      append(storage, "2", "behind");
      assertThat(log(storage)).isEmpty();
      assertThatThrownBy(loser::release).isInstanceOf(VersionConflictException.class);
      // This reader would wait for an hour.
      assertThat(log(storage)).containsExactly("winner", "behind");
    }
  }

  @Test
  void S6_an_insert_whose_reply_was_lost_is_found_when_it_is_repeated() throws Exception {
    String database = newDatabase();
    Append append = append("1", ExpectedVersion.exactly(0), event("a"), event("b"));
    try (MongoStorage storage = Mongo.patient(database);
        FlakyProxy proxy = proxy();
        MongoClient client = Mongo.impatient(proxy.port());
        Mongo.Held held = new Mongo.Held(client, database, append, proxy::loseReplies)) {
      assertThatThrownBy(held::release)
          .isInstanceOf(StoreUnavailableException.class)
          .hasMessageContaining("repeat");
      proxy.heal();
      // It was done, only the answer is missing.
      assertThat(log(storage)).containsExactly("a", "b");
      AppendResult repeated = storage.eventStore().append(append);
      assertThat(repeated.firstVersion()).isEqualTo(1);
      assertThat(repeated.version()).isEqualTo(2);
      assertThat(repeated.position()).isEqualTo(storage.globalLog().status().head());
      append(storage, "1", "c");
      assertThat(storage.eventStore().append(append)).isEqualTo(repeated);
      assertThat(log(storage)).containsExactly("a", "b", "c");
    }
  }

  @Test
  void the_server_is_away_and_comes_back_without_a_restart_of_the_service() {
    String database = newDatabase();
    try (FlakyProxy proxy = proxy();
        MongoClient client = Mongo.impatient(proxy.port());
        MongoStorage storage = MongoStorage.create(client, database)) {
      append(storage, "1", "before");
      proxy.refuse();
      NewEvent during = event("during");
      assertThatThrownBy(
              () -> storage.eventStore().append(append("1", ExpectedVersion.exactly(1), during)))
          .isInstanceOf(StoreUnavailableException.class)
          .hasMessageContaining(database);
      assertThatThrownBy(() -> log(storage)).isInstanceOf(StoreUnavailableException.class);
      proxy.heal();
      storage.eventStore().append(append("1", ExpectedVersion.exactly(1), during));
      assertThat(log(storage)).containsExactly("before", "during");
    }
  }

  /** Writers that repeat what failed, with the same ids, until it is stored. */
  @Test
  void S6_writers_that_repeat_through_outages_store_each_append_once() throws Exception {
    String database = newDatabase();
    int writers = 4;
    int each = 50;
    AtomicInteger failed = new AtomicInteger();
    AtomicInteger stored = new AtomicInteger();
    List<CompletableFuture<Void>> running = new ArrayList<>();
    try (FlakyProxy proxy = proxy();
        MongoClient client = Mongo.impatient(proxy.port());
        MongoStorage storage = MongoStorage.create(client, database)) {
      for (int w = 0; w < writers; w++) {
        String stream = "w" + w;
        running.add(
            CompletableFuture.runAsync(
                () -> {
                  for (int i = 0; i < each; i++) {
                    Append append =
                        append(stream, ExpectedVersion.exactly(i), event(stream + ":" + i));
                    while (true) {
                      try {
                        assertThat(storage.eventStore().append(append).version()).isEqualTo(i + 1);
                        stored.incrementAndGet();
                        break;
                      } catch (StoreUnavailableException e) {
                        failed.incrementAndGet();
                      }
                    }
                  }
                },
                Thread.ofPlatform().daemon()::start));
      }
      List<Runnable> outages = List.of(proxy::refuse, proxy::loseReplies);
      for (int i = 0; i < outages.size(); i++) {
        int until = (i + 1) * writers * each / 4;
        MongoStorageTest.await(() -> stored.get() >= until);
        int before = failed.get();
        outages.get(i).run();
        MongoStorageTest.await(() -> failed.get() > before);
        proxy.heal();
      }
      for (CompletableFuture<Void> writer : running) {
        writer.get(90, TimeUnit.SECONDS);
      }
    }
    try (MongoStorage afterwards = Mongo.quick(database)) {
      List<String> log = log(afterwards);
      assertThat(log).hasSize(writers * each).doesNotHaveDuplicates();
      for (int w = 0; w < writers; w++) {
        String stream = "w" + w;
        assertThat(log.stream().filter(text -> text.startsWith(stream + ":")).toList())
            .isEqualTo(IntStream.range(0, each).mapToObj(i -> stream + ":" + i).toList());
      }
    }
  }

  @Test
  void an_interrupted_caller_takes_nobody_down_and_learns_its_outcome() {
    try (MongoStorage storage = MongoStorage.create(CLIENT, newDatabase())) {
      Thread.currentThread().interrupt();
      AppendResult result =
          storage
              .eventStore()
              .append(append("1", ExpectedVersion.noStream(), event("interrupted")));
      assertThat(Thread.interrupted()).isTrue();
      assertThat(result.version()).isEqualTo(1);
      assertThat(log(storage)).containsExactly("interrupted");
    }
  }

  /**
   * Several processes' worth of writers, readers that lose their patience at once, writers that
   * stall between draw and insert: what was read live is what is there afterwards.
   */
  @Test
  void G1_G2_S1_the_log_read_live_equals_the_log_read_afterwards() throws Exception {
    String database = newDatabase();
    int writers = 5;
    int each = 100;
    CountDownLatch written = new CountDownLatch(writers);
    ConcurrentLinkedQueue<AppendResult> results = new ConcurrentLinkedQueue<>();
    ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
    AtomicInteger stalls = new AtomicInteger();
    List<String> live = new ArrayList<>();
    try (MongoStorage reader = Mongo.quick(database)) {
      for (int w = 0; w < writers; w++) {
        String name = "w" + w;
        Thread.ofPlatform()
            .start(
                () -> {
                  // A storage of its own is what another process would have.
                  try (MongoStorage storage =
                      MongoStorage.builder(CLIENT, database)
                          .fillAfter(Duration.ZERO)
                          .betweenDrawAndInsert(
                              () -> {
                                if (ThreadLocalRandom.current().nextInt(10) == 0) {
                                  stalls.incrementAndGet();
                                  // Long enough for a reader to fill the number.
                                  reader.globalLog().status();
                                }
                              })
                          .build()) {
                    for (int i = 0; i < each; i++) {
                      results.add(append(storage, "s" + (i % 3), name + ":" + i));
                    }
                  } catch (Throwable e) {
                    failures.add(e);
                  } finally {
                    written.countDown();
                  }
                });
      }
      Position after = Position.START;
      boolean last = false;
      while (!last) {
        last = written.getCount() == 0;
        LogPage page;
        do {
          page = reader.globalLog().read(after, EventFilter.ALL, 50);
          page.events().forEach(event -> live.add(event.position() + event.data().toUtf8()));
          after = page.next();
        } while (page.more());
      }
      assertThat(failures).isEmpty();
    }
    try (MongoStorage afterwards = MongoStorage.create(CLIENT, database)) {
      List<String> all = new ArrayList<>();
      long[] versions = new long[3];
      Position after = Position.START;
      LogPage page;
      do {
        page = afterwards.globalLog().read(after, EventFilter.ALL, 1_000);
        page.events()
            .forEach(
                event -> {
                  all.add(event.position() + event.data().toUtf8());
                  int stream = event.stream().id().charAt(1) - '0';
                  assertThat(event.version()).isEqualTo(++versions[stream]);
                });
        after = page.next();
      } while (page.more());
      assertThat(all).hasSize(writers * each);
      assertThat(live).isEqualTo(all);
      assertThat(results.stream().map(AppendResult::position).distinct()).hasSize(writers * each);
      assertThat(stalls.get()).isPositive();
      assertThat(afterwards.doctor().fillers()).as("writers that were filled over").isPositive();
      assertThat(
              afterwards
                  .eventStore()
                  .read(StreamId.of("account", "s0"), StreamRange.last(1))
                  .getFirst()
                  .version())
          .isEqualTo(versions[0]);
    }
  }
}
