package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.event;
import static dev.sluice.adapter.mongo.Mongo.log;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoClient;
import de.bwaldvogel.mongo.MongoServer;
import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.VersionConflictException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.bson.BsonBoolean;
import org.bson.BsonDocument;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Appends inside of transactions, and those outside that meet them; see the backend. */
class SessionTest {

  private final TransactionalBackend backend = new TransactionalBackend();
  private final MongoServer server = new MongoServer(backend);
  private final Commands commands = new Commands();
  private MongoClient client;
  private MongoStorage storage;

  @BeforeEach
  void start() {
    client = commands.client(server.bindAndGetConnectionString());
    storage = storage(Duration.ZERO);
  }

  @AfterEach
  void stop() {
    storage.close();
    client.close();
    server.shutdownNow();
  }

  private MongoStorage storage(Duration fillAfter) {
    return MongoStorage.builder(client, "db").fillAfter(fillAfter).build();
  }

  @Test
  void an_append_and_a_checkpoint_are_there_with_the_transaction_or_not_at_all() {
    assertThat(storage.joinsSessions()).isTrue();
    try (ClientSession session = client.startSession()) {
      session.startTransaction();
      EventStore joined = storage.eventStore(session);
      joined.append(append("1", ExpectedVersion.noStream(), event("a")));
      joined.append(append("1", ExpectedVersion.exactly(1), event("b")));
      storage.checkpoints(session).save(Checkpoint.first("view", Position.START, Payload.EMPTY, 0));
      assertThat(log(storage)).isEmpty();
      session.commitTransaction();
      assertThat(log(storage)).containsExactly("a", "b");
      assertThat(storage.checkpoints().load("view")).isPresent();
      session.startTransaction();
      joined.append(append("1", ExpectedVersion.any(), event("aborted")));
      session.abortTransaction();
      append(storage, "1", "after");
      assertThat(log(storage)).containsExactly("a", "b", "after");
      session.startTransaction();
      assertThatThrownBy(
              () -> joined.append(append("1", ExpectedVersion.exactly(2), event("too late"))))
          .isInstanceOfSatisfying(
              VersionConflictException.class, e -> assertThat(e.actual()).isEqualTo(3));
      session.abortTransaction();
    }
  }

  /** The server's part is its own: one that rolls back a transaction rolls back all of it. */
  @Test
  void what_is_done_with_snapshots_is_part_of_the_transaction() {
    try (ClientSession session = client.startSession()) {
      SnapshotStore joined = storage.snapshots(session);
      StreamId stream = StreamId.of("account", "1");
      session.startTransaction();
      commands.forget();
      joined.save(new Snapshot(stream, "balance-1", 2, Payload.EMPTY));
      assertThat(joined.load(stream, "balance-1").orElseThrow().version()).isEqualTo(2);
      joined.delete(stream);
      session.commitTransaction();
    }
    assertThat(commands.all())
        .hasSize(4)
        .allSatisfy(
            command -> assertThat(command.getBoolean("autocommit")).isEqualTo(BsonBoolean.FALSE));
  }

  @Test
  void S6_a_repeated_append_in_a_transaction_returns_what_the_first_returned() {
    NewEvent first = event("first");
    Append any = append("1", ExpectedVersion.any(), first);
    AppendResult stored = storage.eventStore().append(any);
    AtomicInteger runs = new AtomicInteger();
    try (ClientSession session = client.startSession()) {
      EventStore joined = storage.eventStore(session);
      AppendResult repeated = session.withTransaction(() -> repeatedAtMostTwice(runs, joined, any));
      assertThat(repeated).isEqualTo(stored);
      assertThat(runs).hasValue(1);
      session.withTransaction(
          () -> {
            assertThat(joined.append(append("1", ExpectedVersion.streamExists(), first)))
                .isEqualTo(stored);
            Append own = append("2", ExpectedVersion.any(), event("own"));
            return assertThat(joined.append(own)).isEqualTo(joined.append(own));
          });
    }
    assertThat(log(storage)).containsExactly("first", "own");
  }

  @Test
  void S2_a_command_that_meets_another_one_is_decided_anew_in_a_repeated_transaction() {
    AtomicInteger runs = new AtomicInteger();
    CommandHandler<Long, Long, Deposited> accounts =
        CommandHandler.builder(
                storage,
                EventCodec.of(
                    EventTypes.<DomainEvent>builder().add("happened", Deposited.class).build(),
                    JacksonSerializer.create()),
                "account",
                Deposited.class,
                new Account(
                    () -> {
                      if (runs.incrementAndGet() == 1) {
                        append(storage, "1", "{\"francs\":10}");
                      }
                    }))
            .build();
    try (ClientSession session = client.startSession()) {
      CommandResult<Long, Deposited> result =
          session.withTransaction(
              () ->
                  accounts
                      .within(storage.eventStore(session), storage.snapshots(session))
                      .handle("1", 5L));
      assertThat(result.state()).isEqualTo(15);
    }
    assertThat(runs).hasValue(2);
    assertThat(log(storage)).hasSize(2);
  }

  record Deposited(long francs) implements DomainEvent {}

  private record Account(Runnable meanwhile) implements Decider<Long, Long, Deposited> {

    @Override
    public Long initial() {
      return 0L;
    }

    @Override
    public Long evolve(Long balance, Deposited event) {
      return balance + event.francs();
    }

    @Override
    public List<Deposited> decide(Long francs, Long balance) {
      meanwhile.run();
      return List.of(new Deposited(francs));
    }
  }

  @Test
  void S6_ids_that_exist_elsewhere_are_said_to_exist_also_in_a_transaction() {
    NewEvent event = event("first");
    AtomicInteger runs = new AtomicInteger();
    try (ClientSession session = client.startSession()) {
      EventStore joined = storage.eventStore(session);
      assertThatThrownBy(
              () ->
                  session.withTransaction(
                      () -> {
                        joined.append(append("1", ExpectedVersion.noStream(), event));
                        Append elsewhere = append("2", ExpectedVersion.noStream(), event);
                        return repeatedAtMostTwice(runs, joined, elsewhere);
                      }))
          .isInstanceOf(DuplicateEventException.class);
    }
    assertThat(log(storage)).isEmpty();
  }

  /** Without an end to it, withTransaction would go on for two minutes. */
  private static AppendResult repeatedAtMostTwice(
      AtomicInteger runs, EventStore joined, Append append) {
    if (runs.incrementAndGet() > 2) {
      throw new AssertionError("the transaction is repeated without end");
    }
    return joined.append(append);
  }

  @Test
  void S5_an_open_transaction_delays_only_appends_to_its_own_streams() throws Exception {
    // As many as there are threads that commit.
    List<String> own = List.of("Aa", "s1", "s2", "s3");
    // Whatever it has in common with one of them.
    String other = "BB";
    assertThat(StreamId.of("account", other)).hasSameHashCodeAs(StreamId.of("account", "Aa"));
    List<CompletableFuture<AppendResult>> waiting = new ArrayList<>();
    try (ClientSession session = client.startSession()) {
      session.startTransaction();
      for (String id : own) {
        storage.eventStore(session).append(append(id, ExpectedVersion.any(), event("in")));
      }
      for (int i = 0; i < 4; i++) {
        waiting.add(appending(append(own.get(i), ExpectedVersion.any(), event("behind"))));
        int so = i + 1;
        MongoStorageTest.await(() -> commands.all("insert", Schema.COMMITS).size() >= 4 + so);
      }
      appending(append(other, ExpectedVersion.any(), event("other"))).get(5, TimeUnit.SECONDS);
      assertThat(waiting).noneMatch(CompletableFuture::isDone);
      session.commitTransaction();
    }
    for (CompletableFuture<AppendResult> append : waiting) {
      assertThat(append.get(Mongo.SECONDS, TimeUnit.SECONDS).version()).isEqualTo(2);
    }
    assertThat(log(storage)).hasSize(9);
  }

  /** Each by itself would take a second; one after the other longer than this test waits. */
  @Test
  void appends_behind_an_open_transaction_do_not_add_up_how_long_they_wait() throws Exception {
    List<CompletableFuture<Throwable>> failed = new ArrayList<>();
    try (MongoStorage impatient =
            MongoStorage.builder(client, "db").patience(Duration.ofSeconds(1)).build();
        ClientSession session = client.startSession()) {
      session.startTransaction();
      impatient.eventStore(session).append(append("1", ExpectedVersion.any(), event("inside")));
      for (int i = 0; i < 2 * Mongo.SECONDS; i++) {
        Append behind = append("1", ExpectedVersion.any(), event("behind"));
        failed.add(
            CompletableFuture.supplyAsync(
                    () -> impatient.eventStore().append(behind),
                    Thread.ofPlatform().daemon()::start)
                .handle((result, failure) -> failure.getCause()));
      }
      CompletableFuture.allOf(failed.toArray(CompletableFuture[]::new))
          .get(Mongo.SECONDS, TimeUnit.SECONDS);
      session.commitTransaction();
    }
    assertThat(failed)
        .allSatisfy(
            failure -> assertThat(failure.join()).isInstanceOf(StoreUnavailableException.class));
    assertThat(log(storage)).containsExactly("inside");
  }

  private CompletableFuture<AppendResult> appending(Append append) {
    return CompletableFuture.supplyAsync(
        () -> storage.eventStore().append(append), Thread.ofPlatform().daemon()::start);
  }

  @Test
  void an_append_beside_the_own_transaction_waits_for_itself_and_is_told_so() {
    try (MongoStorage impatient =
            MongoStorage.builder(client, "db").patience(Duration.ofSeconds(1)).build();
        ClientSession session = client.startSession()) {
      session.startTransaction();
      impatient.eventStore(session).append(append("1", ExpectedVersion.any(), event("inside")));
      Append beside = append("1", ExpectedVersion.any(), event("beside"));
      assertThatThrownBy(() -> impatient.eventStore().append(beside))
          .isInstanceOf(StoreUnavailableException.class)
          .hasMessageContaining("account-1")
          .hasMessageContaining("eventStore(session)");
      session.commitTransaction();
      assertThat(storage.eventStore().append(beside).version()).isEqualTo(2);
    }
    assertThat(log(storage)).containsExactly("inside", "beside");
  }

  @Test
  void G4_readers_do_not_try_again_and_again_to_fill_what_a_transaction_holds() {
    try (MongoStorage reader = storage(Duration.ofSeconds(2));
        ClientSession session = client.startSession()) {
      session.startTransaction();
      storage.eventStore(session).append(append("1", ExpectedVersion.any(), event("inside")));
      append(storage, "2", "behind");
      MongoStorageTest.await(
          () -> {
            assertThat(log(reader)).isEmpty();
            return fillers() > 0;
          });
      for (int i = 0; i < 10; i++) {
        assertThat(log(reader)).isEmpty();
      }
      assertThat(fillers()).isEqualTo(1);
      session.commitTransaction();
      assertThat(log(reader)).containsExactly("inside", "behind");
    }
  }

  private long fillers() {
    return commands.all().stream().filter(Commands::isFiller).count();
  }

  /** As with a write concern below the read concern. */
  @Test
  void a_reader_does_not_insist_on_a_filler_that_is_not_shown_yet() throws Exception {
    try (Mongo.Held dies =
        new Mongo.Held(client, "db", append("dead", ExpectedVersion.any(), event("x")), () -> {})) {
      assertThat(dies.isDone()).isFalse();
    }
    append(storage, "1", "behind");
    backend.lag();
    CompletableFuture<List<String>> reading =
        CompletableFuture.supplyAsync(() -> log(storage), Thread.ofPlatform().daemon()::start);
    assertThat(reading.get(5, TimeUnit.SECONDS)).isEmpty();
    backend.catchUp();
    assertThat(log(storage)).containsExactly("behind");
  }

  @Test
  void S1_S7_concerns_on_the_wire() {
    commands.forget();
    IndexUseTest.useEverything(client, "other");
    List<BsonDocument> writes = new ArrayList<>();
    List<BsonDocument> reads = new ArrayList<>();
    for (BsonDocument command : commands.all()) {
      switch (command.getFirstKey()) {
        case "insert", "update", "delete" -> writes.add(command);
        case "find", "aggregate" -> reads.add(command);
        default -> {
          // Neither reads nor writes documents, or draws a number.
        }
      }
    }
    assertThat(writes).hasSizeGreaterThan(10);
    assertThat(writes)
        .allSatisfy(
            write -> {
              BsonDocument concern = write.getDocument("writeConcern");
              assertThat(concern.getString("w").getValue()).isEqualTo("majority");
              assertThat(concern.getBoolean("j").getValue()).isTrue();
            });
    assertThat(reads).hasSizeGreaterThan(30);
    assertThat(reads)
        .allSatisfy(
            read ->
                assertThat(read.getDocument("readConcern").getString("level").getValue())
                    .isEqualTo("majority"));
  }

  @Test
  void no_collection_is_left_to_be_made_inside_a_transaction() {
    assertThat(client.getDatabase("db").listCollectionNames())
        .contains(Schema.COMMITS, Schema.CHECKPOINTS, Schema.LEASES, Schema.SNAPSHOTS, Schema.META);
  }
}
