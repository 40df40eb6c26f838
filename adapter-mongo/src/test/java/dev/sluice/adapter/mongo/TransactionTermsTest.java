package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.event;
import static dev.sluice.adapter.mongo.Mongo.log;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.MongoConnectionPoolClearedException;
import com.mongodb.ReadPreference;
import com.mongodb.ServerAddress;
import com.mongodb.TransactionOptions;
import com.mongodb.WriteConcern;
import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.connection.ClusterId;
import com.mongodb.connection.ServerId;
import de.bwaldvogel.mongo.MongoServer;
import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import java.util.List;
import org.bson.Document;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Transactions whose options don't fit, from the caller or from the defaults of its client. */
class TransactionTermsTest {

  private static final EventCodec CODEC =
      EventCodec.of(EventTypes.<DomainEvent>of(Happened.class), JacksonSerializer.create());

  private final MongoServer server = new MongoServer(new TransactionalBackend());
  private final String uri = server.bindAndGetConnectionString();

  @EventType("happened")
  record Happened(int n) implements DomainEvent {}

  @AfterEach
  void stop() {
    server.shutdownNow();
  }

  @Test
  void a_transaction_that_reads_from_secondaries_is_refused_with_what_to_do() {
    try (MongoClient client = MongoClients.create(uri + "/?readPreference=secondaryPreferred");
        MongoStorage storage = MongoStorage.create(client, "db");
        ClientSession session = client.startSession()) {
      session.startTransaction();
      StreamId stream = StreamId.of("account", "1");
      for (Runnable use :
          List.<Runnable>of(
              () ->
                  storage
                      .eventStore(session)
                      .append(append("1", ExpectedVersion.any(), event("x"))),
              () -> storage.eventStore(session).read(stream, StreamRange.forwards(1, 10)),
              () -> storage.checkpoints(session).load("view"),
              () -> storage.snapshots(session).load(stream, "s"))) {
        assertThatThrownBy(use::run)
            .isInstanceOf(StoreRefusedException.class)
            .hasMessageContaining("ReadPreference.primary()");
      }
      session.abortTransaction();
      session.startTransaction(
          TransactionOptions.builder().readPreference(ReadPreference.primary()).build());
      storage.eventStore(session).append(append("1", ExpectedVersion.any(), event("x")));
      session.commitTransaction();
    }
  }

  @Test
  void S4_a_conflict_that_is_found_in_advance_leaves_the_transaction_open() {
    try (MongoClient client = MongoClients.create(uri);
        MongoStorage storage = MongoStorage.create(client, "db");
        ClientSession session = client.startSession()) {
      append(storage, "1", "before");
      session.startTransaction();
      EventStore joined = storage.eventStore(session);
      assertThatThrownBy(
              () -> joined.append(append("1", ExpectedVersion.exactly(7), event("conflict"))))
          .isInstanceOf(VersionConflictException.class);
      joined.append(append("2", ExpectedVersion.any(), event("goes on")));
      session.commitTransaction();
      assertThat(log(storage)).containsExactly("before", "goes on");
    }
  }

  @Test
  void U2_a_view_is_kept_by_a_client_that_prefers_secondaries() {
    try (MongoClient client = MongoClients.create(uri + "/?readPreference=secondaryPreferred");
        MongoStorage storage = MongoStorage.create(client, "db")) {
      client.getDatabase("db").createCollection("view");
      process(
          storage,
          (session, happened, recorded) -> {
            var view = client.getDatabase("db").getCollection("view");
            assertThat(view.find(session).first()).isNull();
            view.insertOne(session, new Document("_id", happened.n()));
          });
      assertThat(storage.checkpoints().load("subscription/view/0")).isPresent();
    }
  }

  @Test
  void U4_a_lost_connection_is_not_taken_for_a_failure_of_the_event() {
    ServerId id = new ServerId(new ClusterId(), new ServerAddress());
    try (MongoClient client = MongoClients.create(uri);
        MongoStorage storage = MongoStorage.create(client, "db")) {
      assertThatThrownBy(
              () ->
                  process(
                      storage,
                      (session, happened, recorded) -> {
                        throw new MongoConnectionPoolClearedException(
                            id, new IllegalStateException("another thread met it"));
                      }))
          .isInstanceOf(StoreUnavailableException.class);
    }
  }

  private static void process(
      MongoStorage storage, Projection.Handler<ClientSession, Happened> handler) {
    append(storage, "1", "{\"n\":1}");
    List<RecordedEvent> events =
        storage.globalLog().read(Position.START, EventFilter.ALL, 10).events();
    Checkpoint next =
        Checkpoint.first("subscription/view/0", events.getLast().position(), Payload.EMPTY, 1);
    MongoProjections.transactional(
            storage,
            Projection.<ClientSession>named("view", CODEC).on(Happened.class, handler).build())
        .process(events, next);
  }

  @Test
  void S1_a_transaction_below_majority_is_said_to_be_less() {
    try (MongoClient client = MongoClients.create(uri + "/?w=1");
        MongoStorage storage = MongoStorage.create(client, "db");
        ClientSession session = client.startSession()) {
      session.startTransaction(
          TransactionOptions.builder().writeConcern(WriteConcern.MAJORITY).build());
      storage.eventStore(session).append(append("1", ExpectedVersion.any(), event("sure")));
      session.commitTransaction();
      assertThat(storage.doctor().findings()).isEmpty();
      session.startTransaction();
      storage.eventStore(session).append(append("1", ExpectedVersion.any(), event("less sure")));
      session.commitTransaction();
      assertThat(storage.doctor().findings())
          .singleElement()
          .asString()
          .contains("\"w\": 1", "transaction", "S1", "WriteConcern.MAJORITY");
    }
  }
}
