package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.log;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.WriteConcern;
import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.connection.ClusterType;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseStore;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.bson.BsonDocument;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What kind of server there is, what follows from it, and which ones are refused. */
class TopologyTest {

  /** Gives up after a second, and looks at the server as often as the driver can. */
  private static MongoClient attentive(String uri) {
    return MongoClients.create(
        MongoClientSettings.builder()
            .applyConnectionString(new ConnectionString(uri))
            .applyToServerSettings(s -> s.heartbeatFrequency(500, TimeUnit.MILLISECONDS))
            .applyToClusterSettings(c -> c.serverSelectionTimeout(1, TimeUnit.SECONDS))
            .build());
  }

  @Test
  void a_replica_set_is_not_taken_for_a_standalone_while_it_is_away() {
    MongoServer server = new MongoServer(new TransactionalBackend());
    try (MongoClient client = attentive(server.bindAndGetConnectionString());
        MongoStorage storage = MongoStorage.create(client, "db");
        ClientSession session = client.startSession()) {
      assertThat(storage.joinsSessions()).isTrue();
      server.shutdownNow();
      assertThatThrownBy(() -> append(storage, "1", "x"))
          .isInstanceOf(StoreUnavailableException.class);
      MongoStorageTest.await(() -> client.getClusterDescription().getType() == ClusterType.UNKNOWN);
      assertThat(storage.joinsSessions()).isTrue();
      assertThat(storage.eventStore(session)).isNotNull();
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void who_names_one_member_of_several_is_told_so() {
    try (Pretended server = new Pretended(Pretended.members("one:1", "two:1"));
        MongoClient client = attentive(server.uri());
        MongoStorage storage = MongoStorage.create(client, "db")) {
      append(storage, "1", "e1");
      assertThat(storage.doctor().findings())
          .singleElement()
          .asString()
          .contains("replicaSet=rs0", "secondary");
      assertThat(log(storage)).containsExactly("e1");
      server.saysOfItself(
          Pretended.members("one:1", "two:1")
              .andThen(
                  hello ->
                      hello
                          .append("ismaster", false)
                          .append("isWritablePrimary", false)
                          .append("secondary", true)));
      MongoStorageTest.await(
          () ->
              client.getClusterDescription().getServerDescriptions().stream()
                  .allMatch(s -> s.isSecondary()));
      assertThatThrownBy(() -> log(storage))
          .isInstanceOf(StoreUnavailableException.class)
          .hasMessageContaining("secondary")
          .hasMessageContaining("replicaSet=rs0");
      assertThatThrownBy(() -> MongoStorage.create(client, "db"))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining("secondary")
          .hasMessageContaining("replicaSet=rs0");
    }
  }

  @Test
  void the_only_member_of_a_set_can_be_named_alone() {
    try (Pretended server = new Pretended(Pretended.REPLICA_SET);
        MongoClient client = server.client();
        MongoStorage storage = MongoStorage.create(client, "db")) {
      assertThat(storage.doctor().findings()).isEmpty();
    }
  }

  @Test
  void a_server_that_is_not_the_primary_is_said_not_to_be() {
    try (Pretended server = new Pretended(Pretended.REPLICA_SET);
        MongoClient client = attentive(server.uri());
        MongoStorage storage = MongoStorage.create(client, "db")) {
      server.answers((command, query) -> command.equals("find") ? Pretended.error(10107) : null);
      assertThatThrownBy(() -> log(storage))
          .isInstanceOf(StoreUnavailableException.class)
          .hasMessageContaining("not the primary")
          .hasMessageNotContaining("same ids");
    }
  }

  @Test
  void a_server_that_is_too_old_is_refused() {
    try (Pretended server = new Pretended(Pretended.STANDALONE);
        MongoClient client = server.client()) {
      server.answers(
          (command, query) ->
              command.equals("buildinfo")
                  ? new Document("version", "4.2.24")
                      .append("versionArray", List.of(4, 2, 24, 0))
                      .append("ok", 1.0)
                  : null);
      assertThatThrownBy(() -> MongoStorage.create(client, "db"))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining("4.2.24")
          .hasMessageContaining("use MongoDB 4.4 or later");
    }
  }

  @Test
  void a_server_that_is_too_old_for_the_driver_is_refused() {
    try (Pretended server = new Pretended(hello -> hello.append("maxWireVersion", 6));
        MongoClient client = server.client()) {
      assertThatThrownBy(() -> MongoStorage.create(client, "db"))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining("use MongoDB 4.4 or later");
    }
  }

  @Test
  void S1_G2_majority_is_journaled_wherever_it_is_used() {
    for (Consumer<Document> topology : List.of(Pretended.STANDALONE, Pretended.REPLICA_SET)) {
      Commands commands = new Commands();
      try (Pretended server = new Pretended(topology);
          MongoClient client = commands.client(server.uri());
          MongoStorage storage =
              MongoStorage.builder(client, "db").writeConcern(WriteConcern.MAJORITY).build()) {
        append(storage, "1", "e");
        assertThat(log(storage)).containsExactly("e");
        assertThat(storage.doctor().findings()).isEmpty();
        BsonDocument insert = commands.all("insert", Schema.COMMITS).getLast();
        assertThat(insert.getDocument("writeConcern").getBoolean("j").getValue()).isTrue();
        // And readers of a standalone go no further than its journal.
        assertThat(storage.database().showsUnjournaled()).isEqualTo(!storage.joinsSessions());
      }
    }
  }

  @Test
  void S1_majority_without_a_journal_is_said_to_be_less() {
    WriteConcern inMemory = WriteConcern.MAJORITY.withJournal(false);
    try (Pretended server = new Pretended(Pretended.REPLICA_SET);
        MongoClient client = server.client();
        MongoStorage storage = MongoStorage.builder(client, "db").writeConcern(inMemory).build()) {
      assertThat(storage.doctor().findings()).singleElement().asString().contains("not journaled");
    }
  }

  /** Then "A" would be "a": in the indexes, and in every search. */
  @Test
  void S9_a_collection_with_a_default_collation_is_refused() {
    try (Pretended server = new Pretended(Pretended.STANDALONE);
        MongoClient client = server.client()) {
      Document collection =
          new Document("name", Schema.COMMITS)
              .append("type", "collection")
              .append("options", new Document("collation", new Document("locale", "de")));
      Document cursor =
          new Document("id", 0L)
              .append("ns", "db.$cmd.listCollections")
              .append("firstBatch", List.of(collection));
      server.answers(
          (command, query) ->
              command.equals("listcollections")
                  ? new Document("cursor", cursor).append("ok", 1.0)
                  : null);
      assertThatThrownBy(() -> MongoStorage.create(client, "db"))
          .isInstanceOf(StoreRefusedException.class)
          .hasMessageContaining(Schema.COMMITS)
          .hasMessageContaining("collation");
    }
  }

  private static Consumer<Document> router(Duration ahead) {
    return hello -> hello.append("msg", "isdbgrid").append("localTime", Instant.now().plus(ahead));
  }

  @Test
  void L1_routers_whose_clocks_differ_give_a_lease_to_one_holder() {
    MemoryBackend shard = new MemoryBackend();
    try (Pretended one = new Pretended(router(Duration.ZERO), shard);
        Pretended two = new Pretended(router(Duration.ofMinutes(1)), shard);
        MongoClient first = one.client();
        MongoClient second = two.client()) {
      one.answers(TopologyTest::unsharded);
      two.answers(TopologyTest::unsharded);
      try (MongoStorage a = MongoStorage.create(first, "db");
          MongoStorage b = MongoStorage.create(second, "db")) {
        Duration duration = Duration.ofSeconds(30);
        LeaseStore here = a.leases();
        LeaseStore there = b.leases();
        Lease held = here.acquire("subscription/x", "one", duration).orElseThrow();
        assertThat(there.acquire("subscription/x", "two", duration)).isEmpty();
        assertThat(there.list("")).hasSize(1);
        here.release(held);
        assertThat(there.acquire("subscription/x", "two", duration)).isPresent();
      }
    }
  }

  private static @Nullable Document unsharded(String command, Document query) {
    return command.equals("collstats") ? new Document("sharded", false).append("ok", 1.0) : null;
  }
}
