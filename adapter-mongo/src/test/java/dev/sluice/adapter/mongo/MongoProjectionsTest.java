package dev.sluice.adapter.mongo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoCollection;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.projection.ViewRefusedException;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.subscription.BatchProcessor;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.bson.Document;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Views that share a transaction with their checkpoint; see the backend for what is real of it. */
class MongoProjectionsTest {

  private static final String CHECKPOINT = "subscription/names/0";
  private static final EventCodec CODEC =
      EventCodec.of(EventTypes.<DomainEvent>of(Opened.class), JacksonSerializer.create());

  private final MongoServer server = new MongoServer(new TransactionalBackend());
  private MongoClient client;
  private MongoStorage storage;
  private MongoCollection<Document> names;
  private List<RecordedEvent> events;

  @EventType("opened")
  record Opened(String name) implements DomainEvent {}

  @BeforeEach
  void start() {
    client = MongoClients.create(server.bindAndGetConnectionString());
    storage = MongoStorage.create(client, "db");
    client.getDatabase("db").createCollection("names");
    names = client.getDatabase("db").getCollection("names");
    for (String name : List.of("ada", "bob", "cy")) {
      storage
          .eventStore()
          .append(
              new Append(
                  StreamId.of("account", "1"),
                  ExpectedVersion.any(),
                  List.of(
                      new NewEvent(
                          EventIds.next(),
                          "opened",
                          Instant.now(),
                          CODEC.encode(new Opened(name)),
                          Payload.EMPTY,
                          List.of()))));
    }
    events = storage.globalLog().read(Position.START, EventFilter.ALL, 10).events();
  }

  @AfterEach
  void stop() {
    storage.close();
    client.close();
    server.shutdownNow();
  }

  private BatchProcessor view() {
    return view(
        (session, opened, recorded) ->
            names.insertOne(session, new Document("_id", opened.name())));
  }

  private BatchProcessor view(Projection.Handler<ClientSession, Opened> handler) {
    return MongoProjections.transactional(
        storage, Projection.<ClientSession>named("names", CODEC).on(Opened.class, handler).build());
  }

  private Checkpoint behindAll() {
    return Checkpoint.first(CHECKPOINT, events.getLast().position(), Payload.EMPTY, 1);
  }

  private List<String> stored() {
    return names.find().map(document -> document.getString("_id")).into(new ArrayList<>());
  }

  @Test
  void U2_the_view_and_its_checkpoint_change_together() {
    view().process(events, behindAll());
    assertThat(stored()).containsExactlyInAnyOrder("ada", "bob", "cy");
    assertThat(storage.checkpoints().load(CHECKPOINT)).contains(behindAll());
  }

  @Test
  void U2_nothing_stays_of_a_batch_that_the_server_refuses() {
    names.insertOne(new Document("_id", "bob"));
    assertThatThrownBy(() -> view().process(events, behindAll()))
        .isInstanceOf(ViewRefusedException.class)
        .hasMessageContaining("the view 'names' can't take account-1, version 2 (opened)");
    assertThat(stored()).containsExactly("bob");
    assertThat(storage.checkpoints().load(CHECKPOINT)).isEmpty();
  }

  @Test
  void U4_what_a_handler_throws_is_not_taken_for_trouble_with_the_server() {
    IllegalStateException failure = new IllegalStateException("a handler that fails on purpose");
    BatchProcessor failing =
        view(
            (session, opened, recorded) -> {
              throw failure;
            });
    assertThatThrownBy(() -> failing.process(events, behindAll())).isSameAs(failure);
    assertThat(storage.checkpoints().load(CHECKPOINT)).isEmpty();
  }

  @Test
  void U3_who_is_not_the_owner_any_more_changes_nothing() {
    storage.checkpoints().save(Checkpoint.first(CHECKPOINT, Position.START, Payload.EMPTY, 2));
    assertThatThrownBy(() -> view().process(events, behindAll()))
        .isInstanceOf(CheckpointConflictException.class);
    assertThat(stored()).isEmpty();
  }

  @Test
  void a_standalone_server_is_refused() {
    MongoServer alone = new MongoServer(new MemoryBackend());
    try (MongoClient other = MongoClients.create(alone.bindAndGetConnectionString());
        MongoStorage standalone = MongoStorage.create(other, "db")) {
      Projection<ClientSession> projection =
          Projection.<ClientSession>named("names", CODEC)
              .on(Opened.class, (session, opened, recorded) -> {})
              .build();
      assertThatThrownBy(() -> MongoProjections.transactional(standalone, projection))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("make it a replica set");
    } finally {
      alone.shutdownNow();
    }
  }
}
