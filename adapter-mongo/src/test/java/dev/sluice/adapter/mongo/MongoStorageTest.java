package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.CLIENT;
import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.event;
import static dev.sluice.adapter.mongo.Mongo.log;
import static dev.sluice.adapter.mongo.Mongo.newDatabase;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.mongodb.ReadConcern;
import com.mongodb.WriteConcern;
import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.IndexOptions;
import com.mongodb.client.model.Indexes;
import com.mongodb.client.model.Updates;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.exception.MongoServerError;
import dev.sluice.core.NotStorableException;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.core.subscription.Subscriptions;
import io.netty.channel.Channel;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.bson.BsonDocument;
import org.bson.Document;
import org.bson.conversions.Bson;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What is true of this adapter beside the contract. */
class MongoStorageTest {

  private static MongoCollection<Document> commits(String database) {
    return CLIENT.getDatabase(database).getCollection(Schema.COMMITS);
  }

  @Test
  void text_payloads_are_text_in_the_shell_and_other_bytes_come_back_as_they_were() {
    String database = newDatabase();
    byte[] noText = {(byte) 0xff, 0, (byte) 0xfe};
    try (MongoStorage storage = MongoStorage.create(CLIENT, database)) {
      NewEvent bytes =
          new NewEvent(
              EventIds.next(),
              "bytes",
              Instant.parse("1969-12-31T23:59:59.999999Z"),
              Payload.of(noText),
              Payload.ofUtf8("{}"),
              List.of());
      storage
          .eventStore()
          .append(append("1", ExpectedVersion.noStream(), event("{\"ä\":\"\0😀\"}"), bytes));
      List<Document> events =
          Objects.requireNonNull(commits(database).find().first())
              .getList(Fields.EVENTS, Document.class);
      assertThat(events.get(0).getString("data")).isEqualTo("{\"ä\":\"\0😀\"}");
      assertThat(events.get(0)).doesNotContainKey(Fields.METADATA);
      var read =
          storage.eventStore().read(StreamId.of("account", "1"), StreamRange.forwards(1, 10));
      assertThat(read.get(0).data().toUtf8()).isEqualTo("{\"ä\":\"\0😀\"}");
      assertThat(read.get(0).time()).isEqualTo("2026-01-02T03:04:05.678901Z");
      assertThat(read.get(1).data().toBytes()).isEqualTo(noText);
      assertThat(read.get(1).metadata().toUtf8()).isEqualTo("{}");
      assertThat(read.get(1).time()).isEqualTo("1969-12-31T23:59:59.999999Z");
    }
  }

  @Test
  void S9_an_append_over_16_MB_is_refused_before_a_number_is_drawn() {
    String database = newDatabase();
    String large = "x".repeat(9 * 1024 * 1024);
    try (MongoStorage storage = MongoStorage.create(CLIENT, database)) {
      assertThatThrownBy(
              () ->
                  storage
                      .eventStore()
                      .append(append("1", ExpectedVersion.any(), event(large), event(large))))
          .isInstanceOf(NotStorableException.class)
          .hasMessageContaining("account-1")
          .hasMessageContaining("18874")
          .hasMessageContaining("16777216");
      assertThat(storage.doctor().drawn()).isZero();
      storage.eventStore().append(append("1", ExpectedVersion.noStream(), event(large)));
      assertThat(log(storage)).containsExactly(large);
    }
  }

  @Test
  void S9_half_a_surrogate_pair_is_refused() {
    try (MongoStorage storage = MongoStorage.create(CLIENT, newDatabase())) {
      NewEvent broken =
          new NewEvent(
              EventIds.next(),
              "happened\ud83d",
              Instant.EPOCH,
              Payload.EMPTY,
              Payload.EMPTY,
              List.of());
      assertThatThrownBy(
              () -> storage.eventStore().append(append("1", ExpectedVersion.any(), broken)))
          .isInstanceOf(NotStorableException.class)
          .hasMessageContaining("surrogate");
    }
  }

  @Test
  void appends_that_wait_at_the_same_moment_share_a_draw_and_an_insert() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    AtomicInteger draws = new AtomicInteger();
    try (MongoStorage storage =
        MongoStorage.builder(CLIENT, newDatabase())
            .betweenDrawAndInsert(
                () -> {
                  draws.incrementAndGet();
                  Mongo.await(go);
                })
            .build()) {
      List<Thread> callers = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        String id = "s" + i;
        callers.add(Thread.ofPlatform().start(() -> append(storage, id, id)));
      }
      // Each committing thread holds a few of them; all others wait together.
      await(() -> callers.stream().allMatch(c -> c.getState() == Thread.State.WAITING));
      go.countDown();
      for (Thread caller : callers) {
        assertThat(caller.join(Duration.ofSeconds(Mongo.SECONDS))).isTrue();
      }
      assertThat(draws.get()).isLessThan(12);
      assertThat(log(storage)).hasSize(40);
    }
  }

  @Test
  void G7_filters_select_in_the_store_and_the_cursor_passes_what_they_leave_out() {
    try (MongoStorage storage = MongoStorage.create(CLIENT, newDatabase())) {
      for (int i = 0; i < 5; i++) {
        append(storage, "a", "a" + i);
        storage
            .eventStore()
            .append(StreamId.of("order", "1"), ExpectedVersion.any(), List.of(event("o" + i)));
      }
      var page =
          storage
              .globalLog()
              .read(
                  Position.START,
                  EventFilter.categories("account").withTypes(Set.of("happened")),
                  10);
      assertThat(Mongo.texts(page.events())).containsExactly("a0", "a1", "a2", "a3", "a4");
      assertThat(page.next()).isEqualTo(storage.globalLog().status().head());
      assertThat(page.more()).isFalse();
      assertThat(storage.globalLog().count(Position.START, EventFilter.categories("order")))
          .isEqualTo(5);
      assertThat(storage.globalLog().count(Position.START, EventFilter.types("happened")))
          .isEqualTo(10);
      assertThat(storage.globalLog().count(Position.START, EventFilter.types("other"))).isZero();
    }
  }

  @Test
  void O5_pruning_stops_in_the_middle_of_a_commit_and_keeps_the_rest() {
    try (MongoStorage storage = MongoStorage.create(CLIENT, newDatabase())) {
      for (int i = 0; i < 3; i++) {
        storage
            .eventStore()
            .append(append("1", ExpectedVersion.any(), event(EventIds.next(), "e", 4)));
      }
      List<OutboxMessage> all = storage.outbox().read(Position.START, 100);
      assertThat(all).hasSize(12);
      assertThat(storage.outbox().prune(100)).isZero();
      storage
          .checkpoints()
          .save(Checkpoint.first("relay/a", all.get(9).position(), Payload.EMPTY, 0));
      assertThat(storage.outbox().prune(3)).isEqualTo(3);
      assertThat(storage.outbox().read(Position.START, 100)).isEqualTo(all.subList(3, 12));
      assertThat(storage.outbox().prune(100)).isEqualTo(7);
      assertThat(storage.outbox().read(Position.START, 100)).isEqualTo(all.subList(10, 12));
      assertThat(storage.outbox().count(Position.START)).isEqualTo(2);
      assertThat(storage.outbox().head()).isEqualTo(all.get(11).position());
      storage
          .checkpoints()
          .save(
              storage
                  .checkpoints()
                  .load("relay/a")
                  .orElseThrow()
                  .next(all.get(11).position(), Payload.EMPTY, 0));
      assertThat(storage.outbox().prune(100)).isEqualTo(2);
      assertThat(storage.outbox().head()).isEqualTo(all.get(11).position());
      assertThat(storage.outbox().read(Position.START, 100)).isEmpty();
      assertThat(log(storage)).hasSize(3);
    }
  }

  @Test
  void O5_pruning_fetches_no_message() {
    Commands commands = new Commands();
    try (MongoClient client = commands.client();
        MongoStorage storage = MongoStorage.create(client, newDatabase())) {
      storage
          .eventStore()
          .append(append("1", ExpectedVersion.any(), event(EventIds.next(), "e", 4)));
      Position last = storage.outbox().head();
      storage.checkpoints().save(Checkpoint.first("relay/a", last, Payload.EMPTY, 0));
      commands.forget();
      assertThat(storage.outbox().prune(3)).isEqualTo(3);
      assertThat(commands.all("find", Schema.COMMITS))
          .isNotEmpty()
          .allSatisfy(
              find ->
                  assertThat(find.getDocument("projection").keySet())
                      .containsExactlyInAnyOrder("_id", "messages.n"));
    }
  }

  @Test
  void the_head_of_the_outbox_does_not_go_back_while_it_is_pruned() {
    String database = newDatabase();
    try (MongoStorage other = MongoStorage.create(CLIENT, database)) {
      // At the worst moment: the reader has asked for one thing and not yet for the other.
      Commands commands =
          new Commands(
              command -> {
                if (Commands.is(command, "find", Schema.COMMITS)
                    && command.getDocument("sort", new BsonDocument()).containsKey("outbox")) {
                  other.outbox().prune(100);
                }
              });
      try (MongoClient client = commands.client();
          MongoStorage storage = MongoStorage.create(client, database)) {
        other
            .eventStore()
            .append(append("1", ExpectedVersion.any(), event(EventIds.next(), "e", 4)));
        Position head = other.outbox().head();
        other.checkpoints().save(Checkpoint.first("relay/a", head, Payload.EMPTY, 0));
        assertThat(storage.outbox().head()).isEqualTo(head);
        assertThat(other.outbox().read(Position.START, 10)).isEmpty();
      }
    }
  }

  @Test
  void two_processes_can_start_on_a_new_database_at_the_same_moment() {
    String database = newDatabase();
    AtomicBoolean first = new AtomicBoolean(true);
    Commands commands =
        new Commands(
            command -> {
              boolean probes =
                  command.getFirstKey().equals("insert")
                      && command.getString("insert").getValue().startsWith("sluice_probe");
              if (probes && first.getAndSet(false)) {
                // The other one comes and is done, with the index made and nothing inserted here.
                MongoStorage.create(CLIENT, database).close();
              }
            });
    try (MongoClient client = commands.client();
        MongoStorage storage = MongoStorage.create(client, database)) {
      append(storage, "1", "e");
      assertThat(log(storage)).containsExactly("e");
    }
    assertThat(first).isFalse();
    assertThat(CLIENT.getDatabase(database).listCollectionNames())
        .noneMatch(name -> name.startsWith("sluice_probe"));
  }

  /** Both answers are tested here too. */
  @Test
  void O1_G2_what_is_read_on_a_standalone_is_in_the_journal() {
    String database = newDatabase();
    Commands commands = new Commands();
    try (MongoClient client = commands.client();
        MongoStorage other = MongoStorage.create(CLIENT, database);
        MongoStorage reader = MongoStorage.create(client, database)) {
      append(other, "1", "a");
      commands.forget();
      assertThat(log(reader)).containsExactly("a");
      List<BsonDocument> marks = commands.all("update", Schema.COMMITS);
      if (reader.joinsSessions()) {
        assertThat(marks).isEmpty();
        return;
      }
      assertThat(marks).hasSize(1);
      assertThat(marks.getFirst().getDocument("writeConcern").getBoolean("j").getValue()).isTrue();
      // After it was seen, and before it is read.
      List<String> order =
          commands.all().stream().map(BsonDocument::getFirstKey).dropWhile("find"::equals).toList();
      assertThat(order).startsWith("update", "find");
      commands.forget();
      assertThat(log(reader)).containsExactly("a");
      assertThat(commands.all("update", Schema.COMMITS)).as("where nothing is new").isEmpty();
    }
  }

  @Test
  void a_schema_of_a_newer_version_is_refused() {
    String database = newDatabase();
    MongoStorage.create(CLIENT, database).close();
    CLIENT
        .getDatabase(database)
        .getCollection(Schema.META)
        .updateOne(Filters.eq("_id", "schema"), Updates.set("version", 99));
    assertThatThrownBy(() -> MongoStorage.create(CLIENT, database))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("99")
        .hasMessageContaining("newer sluice-adapter-mongo");
  }

  @ParameterizedTest
  @MethodSource("almost")
  void an_index_that_is_not_what_is_needed_is_refused(Bson keys, IndexOptions options) {
    String database = newDatabase();
    commits(database).createIndex(keys, options.name("stream_version"));
    assertThatThrownBy(() -> MongoStorage.create(CLIENT, database))
        .isInstanceOf(StoreRefusedException.class)
        .hasMessageContaining("stream_version")
        .hasMessageContaining("drop it");
  }

  static Stream<Arguments> almost() {
    Bson keys = Indexes.ascending("category", "stream", "version");
    return Stream.of(
        arguments(keys, new IndexOptions()),
        arguments(keys, new IndexOptions().unique(true).sparse(true)),
        arguments(
            Indexes.compoundIndex(
                Indexes.descending("category"), Indexes.ascending("stream", "version")),
            new IndexOptions().unique(true)),
        arguments(
            keys,
            new IndexOptions().unique(true).partialFilterExpression(Filters.gt("version", 100))));
  }

  @Test
  void a_sharded_collection_is_refused() {
    for (boolean allowed : new boolean[] {true, false}) {
      de.bwaldvogel.mongo.MongoServer mongos = new de.bwaldvogel.mongo.MongoServer(mongos(allowed));
      try (MongoClient client = MongoClients.create(mongos.bindAndGetConnectionString())) {
        if (allowed) {
          assertThatThrownBy(() -> MongoStorage.create(client, "db"))
              .isInstanceOf(StoreRefusedException.class)
              .hasMessageContaining("sharded");
        } else {
          // Who may not ask is stopped by the server, which refuses the indexes then.
          MongoStorage.create(client, "db").close();
        }
      } finally {
        mongos.shutdownNow();
      }
    }
  }

  /** Says that it is the router of a cluster, and that each collection is sharded. */
  private static MemoryBackend mongos(boolean tells) {
    return new MemoryBackend() {
      @Override
      public de.bwaldvogel.mongo.bson.Document handleCommand(
          Channel channel,
          String database,
          String command,
          de.bwaldvogel.mongo.bson.Document query) {
        if (!command.equals("collStats")) {
          var answer = super.handleCommand(channel, database, command, query);
          return command.equalsIgnoreCase("ismaster") ? answer.append("msg", "isdbgrid") : answer;
        }
        if (!tells) {
          throw new MongoServerError(13, "Unauthorized", "not authorized");
        }
        return new de.bwaldvogel.mongo.bson.Document("sharded", true).append("ok", 1.0);
      }
    };
  }

  @Test
  void a_commit_that_something_else_has_written_is_refused_and_not_taken_for_an_outage() {
    String database = newDatabase();
    try (MongoStorage storage = MongoStorage.create(CLIENT, database)) {
      append(storage, "1", "e");
      commits(database).updateOne(Filters.eq("_id", 1L), Updates.unset("events.0.id"));
      assertThatThrownBy(() -> log(storage))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining("no id");
    }
  }

  @Test
  void a_process_that_only_appends_goes_past_many_numbers_that_are_taken() {
    String database = newDatabase();
    try (MongoStorage blind = MongoStorage.create(CLIENT, database);
        MongoStorage other = MongoStorage.create(CLIENT, database)) {
      for (int i = 0; i < 30; i++) {
        append(other, "1", "e" + i);
      }
      // A failover that took the draws back, and not what was inserted.
      CLIENT
          .getDatabase(database)
          .getCollection(Schema.META)
          .updateOne(Filters.eq("_id", "counter"), Updates.set("value", 0L));
      assertThat(Positions.number(append(blind, "2", "e").position())).isGreaterThan(30);
    }
  }

  @Test
  void a_counter_that_lies_behind_the_commits_is_raised_and_nothing_is_drawn_below() {
    String database = newDatabase();
    try (MongoStorage storage = MongoStorage.create(CLIENT, database)) {
      for (int i = 0; i < 10; i++) {
        append(storage, "1", "e" + i);
      }
      MongoCollection<Document> meta = CLIENT.getDatabase(database).getCollection(Schema.META);
      meta.updateOne(Filters.eq("_id", "counter"), Updates.set("value", 3L));
      assertThat(storage.doctor().findings()).anyMatch(finding -> finding.contains("counter"));
      // This process has seen number 10, and goes on behind it.
      Position position = append(storage, "2", "late").position();
      assertThat(Positions.number(position)).isGreaterThan(10);
      meta.updateOne(Filters.eq("_id", "counter"), Updates.set("value", 3L));
    }
    try (MongoStorage restarted = MongoStorage.create(CLIENT, database)) {
      assertThat(Positions.number(append(restarted, "2", "later").position())).isGreaterThan(11);
    }
  }

  @Test
  void weaker_concerns_are_accepted_and_what_they_lose_is_said() {
    assertThatThrownBy(
            () ->
                MongoStorage.builder(CLIENT, newDatabase())
                    .writeConcern(WriteConcern.UNACKNOWLEDGED))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("w: 0");
    try (MongoStorage storage =
        MongoStorage.builder(CLIENT, newDatabase())
            .writeConcern(WriteConcern.W1)
            .readConcern(ReadConcern.LOCAL)
            .build()) {
      append(storage, "1", "e");
      assertThat(log(storage)).containsExactly("e");
      assertThat(storage.doctor().findings())
          .anyMatch(finding -> finding.contains("not journaled") && finding.contains("S1"));
    }
    try (MongoStorage storage = MongoStorage.create(CLIENT, newDatabase())) {
      assertThat(storage.doctor().findings()).isEmpty();
      assertThat(storage.doctor().concerns()).contains("majority").contains("\"j\": true");
    }
  }

  /** Both answers are tested: which one depends on the server that was found. */
  @Test
  void a_session_is_joined_where_there_is_a_replica_set_and_refused_elsewhere() {
    String database = newDatabase();
    try (MongoStorage storage = MongoStorage.create(CLIENT, database)) {
      append(storage, "1", "before");
      if (!storage.joinsSessions()) {
        assertThatThrownBy(() -> storage.eventStore(Mongo.noSession()))
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessageContaining("standalone")
            .hasMessageContaining("replica set");
        assertThatThrownBy(() -> storage.checkpoints(Mongo.noSession()))
            .isInstanceOf(UnsupportedOperationException.class);
        assertThat(storage.hearsOtherProcesses()).isFalse();
        return;
      }
      try (ClientSession session = CLIENT.startSession()) {
        session.startTransaction();
        storage
            .eventStore(session)
            .append(append("1", ExpectedVersion.exactly(1), event("inside")));
        storage
            .checkpoints(session)
            .save(Checkpoint.first("view", Position.START, Payload.EMPTY, 0));
        assertThat(log(storage)).containsExactly("before");
        session.commitTransaction();
        assertThat(log(storage)).containsExactly("before", "inside");
        assertThat(storage.checkpoints().load("view")).isPresent();
        session.startTransaction();
        storage.eventStore(session).append(append("1", ExpectedVersion.any(), event("aborted")));
        session.abortTransaction();
        append(storage, "1", "after");
        // At once: this process knows that its transaction has ended.
        assertThat(log(storage)).containsExactly("before", "inside", "after");
        session.startTransaction();
        // Begins to read here, and does not see what comes next.
        CLIENT
            .getDatabase(database)
            .getCollection("something_else")
            .insertOne(session, new Document());
        append(storage, "1", "overtakes");
        assertThatThrownBy(
                () ->
                    storage
                        .eventStore(session)
                        .append(append("1", ExpectedVersion.exactly(3), event("too late"))))
            .isInstanceOfSatisfying(
                VersionConflictException.class, e -> assertThat(e.actual()).isEqualTo(4));
        storage.eventStore(session).append(append("1", ExpectedVersion.any(), event("last")));
        session.commitTransaction();
        assertThat(log(storage)).containsExactly("before", "inside", "after", "overtakes", "last");
      }
    }
  }

  /** Elsewhere those of this process. */
  @Test
  void appends_of_other_processes_wake_readers_where_there_is_a_replica_set() {
    String database = newDatabase();
    CountDownLatch woken = new CountDownLatch(1);
    try (MongoStorage storage = MongoStorage.create(CLIENT, database);
        MongoStorage other = MongoStorage.create(CLIENT, database)) {
      storage.globalLog().onAppend(woken::countDown);
      append(other, "1", "from elsewhere");
      if (!storage.hearsOtherProcesses()) {
        append(storage, "1", "own");
      }
      Mongo.await(woken);
    }
  }

  static void await(java.util.function.BooleanSupplier condition) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(Mongo.SECONDS);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("in time").isLessThan(end);
      Thread.onSpinWait();
    }
  }

  @Test
  void the_doctor_says_what_holds_readers_back() throws Exception {
    String database = newDatabase();
    try (MongoStorage storage = Mongo.patient(database);
        Mongo.Held held =
            new Mongo.Held(database, append("held", ExpectedVersion.any(), event("held")))) {
      append(storage, "1", "behind the hole");
      storage.leases().acquire("subscription/x", "me", Duration.ofMinutes(1));
      storage.checkpoints().save(Checkpoint.first("view", Position.START, Payload.EMPTY, 0));
      assertThat(log(storage)).isEmpty();
      Diagnosis diagnosis = storage.doctor();
      assertThat(diagnosis.hole().orElseThrow().number()).isEqualTo(1);
      assertThat(diagnosis.drawn()).isEqualTo(2);
      assertThat(diagnosis.settled()).isZero();
      assertThat(diagnosis.leases()).hasSize(1);
      assertThat(diagnosis.findings()).anyMatch(finding -> finding.contains("commit 1"));
      assertThat(storage.globalLog().status().heldBackBy()).isPresent();
      assertThat(diagnosis.toString()).contains("commit 1 is missing", "view: 0", "subscription/x");
      assertThat(held.release().version()).isEqualTo(1);
      assertThat(storage.doctor().hole()).isEmpty();
    }
  }

  @Test
  void the_doctor_can_be_run_by_itself() throws Exception {
    String database = newDatabase();
    assertThat(printed(database, 2)).contains("no collection sluice_commits");
    assertThat(CLIENT.getDatabase(database).listCollectionNames().first()).isNull();
    try (MongoStorage storage = Mongo.patient(database)) {
      try (Mongo.Held dies =
          new Mongo.Held(database, append("dead", ExpectedVersion.any(), event("never")))) {
        assertThat(dies.isDone()).isFalse();
      }
      storage
          .eventStore()
          .append(append("1", ExpectedVersion.noStream(), event(EventIds.next(), "e", 3)));
      storage.leases().acquire("relay/lane", "its owner", Duration.ofMinutes(1));
      storage.checkpoints().save(Checkpoint.first("view", Position.START, Payload.EMPTY, 0));
      // It has looked twice, with the grace between, and so closed the hole.
      assertThat(printed(database, 0))
          .contains("MongoDB", "database '" + database + "'", "majority")
          .contains("drawn 2, last 2, readable up to 2")
          .containsPattern("hole +none")
          .containsPattern("fillers +1")
          .containsPattern("outbox +3 messages wait")
          .containsPattern("behind +view: 1")
          .contains("relay/lane held by its owner");
      CLIENT
          .getDatabase(database)
          .getCollection(Schema.META)
          .updateOne(Filters.eq("_id", "schema"), Updates.set("version", 99));
      assertThatThrownBy(() -> printed(database, 1)).isInstanceOf(StoreRefusedException.class);
    }
  }

  @Test
  void the_doctor_names_readers_that_nobody_runs_or_that_wait_for_a_decision() {
    try (MongoStorage storage = Mongo.patient(newDatabase());
        Subscriptions running = Subscriptions.of(storage)) {
      append(storage, "1", "first");
      running.start(
          Subscription.named("stops")
              .failures(
                  FailurePolicy.STOP.withAttempts(1, Duration.ofMillis(1), Duration.ofMillis(1)))
              .handler(
                  event -> {
                    throw new IllegalStateException("no such owner");
                  }));
      await(() -> running.status().getFirst().state() == SubscriptionStatus.State.STOPPED);
      for (String name : List.of("subscription/dead/0", "process-deadlines/a/0", "view")) {
        storage.checkpoints().save(Checkpoint.first(name, Position.START, Payload.EMPTY, 0));
      }
      Position published =
          storage
              .eventStore()
              .append(append("2", ExpectedVersion.any(), event(EventIds.next(), "e", 1)))
              .position();
      storage
          .checkpoints()
          .save(
              Checkpoint.first(
                  "relay/idle/0", Position.START, Payload.ofUtf8(published + "\n"), 0));
      Diagnosis diagnosis = storage.doctor();
      assertThat(diagnosis.findings())
          .satisfiesExactlyInAnyOrder(
              finding ->
                  assertThat(finding)
                      .contains("subscription/stops/0 is stopped by account-1, version 1")
                      .contains("no such owner"),
              finding ->
                  assertThat(finding)
                      .contains("subscription/dead/0 is 2 behind and nobody runs it"));
      assertThat(diagnosis.outboxBacklog()).isZero();
      assertThat(diagnosis.lags()).containsEntry("relay/idle/0", 0L).containsEntry("view", 2L);
    }
  }

  private static String printed(String database, int status) throws InterruptedException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    assertThat(Doctor.run(CLIENT, database, new PrintStream(out, true, StandardCharsets.UTF_8)))
        .isEqualTo(status);
    return out.toString(StandardCharsets.UTF_8);
  }

  /** The README's table; whoever makes documents larger says so there. */
  @Test
  void documents_are_as_large_as_the_readme_says() {
    assertThat(bytes(1, 0)).isEqualTo(469);
    assertThat(bytes(10, 0)).isEqualTo(3_520);
    assertThat(bytes(1, 1)).isEqualTo(940);
  }

  /** Of a commit whose events have 200 bytes of payload and 40 of metadata. */
  private static int bytes(int events, int messages) {
    Instant time = Instant.parse("2026-01-02T03:04:05.678Z");
    Payload data = Payload.ofUtf8("x".repeat(200));
    StreamId stream = StreamId.of("account", "5f0c1d8e-6a7b-4c3d-9e2f-1a2b3c4d5e6f");
    List<IntegrationMessage> made = new ArrayList<>();
    for (int i = 0; i < messages; i++) {
      made.add(
          new IntegrationMessage(
              EventIds.next(),
              "large-deposit",
              stream.toString(),
              stream.toString(),
              time,
              data,
              Optional.of("0123456789abcdef012"),
              Optional.empty()));
    }
    List<NewEvent> all = new ArrayList<>();
    for (int i = 0; i < events; i++) {
      all.add(
          new NewEvent(
              EventIds.next(),
              "money-deposited",
              time,
              data,
              Payload.ofUtf8("m".repeat(40)),
              made));
    }
    return EncodedCommit.of(new Append(stream, ExpectedVersion.any(), all), 1 << 24).size();
  }

  @Test
  void appends_that_are_on_their_way_get_their_outcome_before_the_storage_is_closed()
      throws Exception {
    String database = newDatabase();
    CountDownLatch drawn = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    MongoStorage storage =
        MongoStorage.builder(CLIENT, database)
            .betweenDrawAndInsert(
                () -> {
                  drawn.countDown();
                  Mongo.await(go);
                })
            .build();
    CompletableFuture<AppendResult> append =
        CompletableFuture.supplyAsync(
            () -> append(storage, "1", "e"), Thread.ofPlatform().daemon()::start);
    Mongo.await(drawn);
    Thread closing = Thread.ofPlatform().start(storage::close);
    await(() -> closing.getState() == Thread.State.TIMED_WAITING || !closing.isAlive());
    go.countDown();
    assertThat(append.get(Mongo.SECONDS, TimeUnit.SECONDS).version()).isEqualTo(1);
    assertThat(closing.join(Duration.ofSeconds(Mongo.SECONDS))).isTrue();
    assertThatThrownBy(() -> append(storage, "1", "too late"))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void a_closed_storage_says_so_and_leaves_the_client_open() {
    MongoStorage storage = MongoStorage.create(CLIENT, newDatabase());
    storage.close();
    storage.close();
    assertThatThrownBy(() -> append(storage, "1", "e"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> storage.globalLog().read(Position.START, EventFilter.ALL, 1))
        .isInstanceOf(IllegalStateException.class);
    assertThat(CLIENT.listDatabaseNames().first()).isNotNull();
  }
}
