package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.log;
import static dev.sluice.adapter.mongo.Mongo.newDatabase;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.ReadConcern;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.bson.BsonType;
import org.bson.codecs.BsonTypeClassMap;
import org.bson.codecs.DocumentCodecProvider;
import org.bson.codecs.configuration.CodecRegistries;
import org.bson.codecs.configuration.CodecRegistry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What passes by itself is unavailable, what stays until somebody acts is refused. */
class RefusalsTest {

  @ParameterizedTest
  @CsvSource({"189, false", "11602, false", "276, false", "85, true", "67, true", "13, true"})
  void an_index_that_could_not_be_made(int code, boolean stays) {
    try (Pretended server = new Pretended(Pretended.STANDALONE);
        MongoClient client = server.client()) {
      server.answers(
          (command, query) ->
              command.equals("createindexes") && Schema.COMMITS.equals(query.get("createIndexes"))
                  ? Pretended.error(code)
                  : null);
      assertThatThrownBy(() -> MongoStorage.create(client, "db")).isExactlyInstanceOf(kind(stays));
    }
  }

  @ParameterizedTest
  @CsvSource({"189, false", "365, false", "121, true", "17280, true", "13, true"})
  void an_insert_that_the_server_refused(int code, boolean stays) {
    try (Pretended server = new Pretended(Pretended.STANDALONE);
        MongoClient client = server.client();
        MongoStorage storage = MongoStorage.create(client, "db")) {
      List<Document> errors = List.of(Pretended.error(code).append("index", 0));
      server.answers(
          (command, query) ->
              command.equals("insert") && !query.toString().contains(Fields.FILLER)
                  ? new Document("n", 0).append("writeErrors", errors).append("ok", 1.0)
                  : null);
      assertThatThrownBy(() -> append(storage, "1", "x")).isExactlyInstanceOf(kind(stays));
      server.answers((command, query) -> null);
      append(storage, "1", "after");
      // At once: the number was filled by its writer.
      assertThat(log(storage)).containsExactly("after");
    }
  }

  private static Class<? extends SluiceException> kind(boolean stays) {
    return stays ? StoreRefusedException.class : StoreUnavailableException.class;
  }

  @Test
  void the_doctor_says_so_when_the_server_is_away_or_the_storage_closed() {
    try (Pretended server = new Pretended(Pretended.STANDALONE);
        MongoClient client = MongoClients.create(server.uri() + "/?serverSelectionTimeoutMS=500")) {
      MongoStorage storage = MongoStorage.create(client, "db");
      server.goAway();
      assertThatThrownBy(storage::doctor).isInstanceOf(StoreUnavailableException.class);
      storage.close();
      assertThatThrownBy(storage::doctor)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
  }

  @Test
  void codecs_of_the_client_do_not_reach_what_the_adapter_reads() {
    CodecRegistry own =
        CodecRegistries.fromRegistries(
            CodecRegistries.fromProviders(
                new DocumentCodecProvider(
                    new BsonTypeClassMap(Map.of(BsonType.DATE_TIME, Instant.class)))),
            MongoClientSettings.getDefaultCodecRegistry());
    String uri = dev.sluice.testservers.MongoServer.shared().uri();
    try (MongoClient client =
            MongoClients.create(
                MongoClientSettings.builder()
                    .applyConnectionString(new ConnectionString(uri))
                    .codecRegistry(own)
                    .build());
        MongoStorage storage = MongoStorage.create(client, newDatabase())) {
      append(storage, "1", "x");
      assertThat(storage.leases().acquire("x", "o", Duration.ofMinutes(1))).isPresent();
      assertThat(storage.doctor().leases()).hasSize(1);
    }
  }

  @Test
  void a_client_with_a_short_time_out_hears_of_appends_too() {
    MemoryBackend backend = new MemoryBackend();
    backend.enableOplog();
    MongoServer server = new MongoServer(backend);
    try (MongoClient client =
            MongoClients.create(server.bindAndGetConnectionString() + "/?timeoutMS=1000");
        MongoStorage other = MongoStorage.create(client, "db");
        Hints hints =
            new Hints(
                new Database(client, "db", new Concerns(WriteConcern.JOURNALED, ReadConcern.LOCAL)),
                true)) {
      CountDownLatch open = new CountDownLatch(1);
      CountDownLatch heard = new CountDownLatch(2);
      hints.add(open::countDown);
      hints.add(heard::countDown);
      Mongo.await(open);
      append(other, "1", "from elsewhere");
      Mongo.await(heard);
    } finally {
      server.shutdownNow();
    }
  }
}
