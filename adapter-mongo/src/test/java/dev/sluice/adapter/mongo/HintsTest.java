package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.log;
import static org.assertj.core.api.Assertions.assertThat;

import com.mongodb.ReadConcern;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import dev.sluice.core.Registration;
import io.netty.channel.Channel;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * Change streams as a wake-up. The embedded server has them once its oplog is on; a storage uses
 * them only where there is a replica set, so here the watcher is driven by itself.
 */
class HintsTest {

  private static Database database(MongoClient client, String name) {
    return new Database(client, name, new Concerns(WriteConcern.JOURNALED, ReadConcern.DEFAULT));
  }

  @Test
  void a_change_stream_wakes_readers_for_appends_of_other_processes() {
    MemoryBackend backend = new MemoryBackend();
    backend.enableOplog();
    MongoServer server = new MongoServer(backend);
    try (MongoClient client = MongoClients.create(server.bindAndGetConnectionString());
        MongoStorage other =
            MongoStorage.builder(client, "db").writeConcern(WriteConcern.JOURNALED).build();
        Hints hints = new Hints(database(client, "db"), true)) {
      AtomicInteger woken = new AtomicInteger();
      Registration registration = hints.add(woken::incrementAndGet);
      // Once when the stream is open, for what came before.
      MongoStorageTest.await(() -> woken.get() == 1);
      append(other, "1", "from elsewhere");
      MongoStorageTest.await(() -> woken.get() >= 2);
      registration.close();
    } finally {
      server.shutdownNow();
    }
  }

  /** The history is lost when a watcher sleeps for longer than the oplog lasts. */
  @Test
  void a_change_stream_that_lost_its_history_is_opened_anew() {
    AtomicBoolean lost = new AtomicBoolean();
    MemoryBackend backend =
        new MemoryBackend() {
          @Override
          public Document handleCommand(
              Channel channel, String database, String command, Document query) {
            if (command.equals("getMore") && lost.getAndSet(false)) {
              throw new MongoServerError(286, "ChangeStreamHistoryLost", "the history is lost");
            }
            return super.handleCommand(channel, database, command, query);
          }
        };
    backend.enableOplog();
    MongoServer server = new MongoServer(backend);
    Commands commands = new Commands();
    try (MongoClient client = commands.client(server.bindAndGetConnectionString());
        MongoStorage other = MongoStorage.create(client, "db");
        Hints hints =
            new Hints(
                new Database(client, "db", new Concerns(WriteConcern.JOURNALED, ReadConcern.LOCAL)),
                true)) {
      AtomicInteger woken = new AtomicInteger();
      hints.add(woken::incrementAndGet);
      MongoStorageTest.await(() -> woken.get() == 1);
      lost.set(true);
      // Once more, for what came while nobody listened.
      MongoStorageTest.await(() -> woken.get() == 2);
      append(other, "1", "from elsewhere");
      MongoStorageTest.await(() -> woken.get() >= 3);
      // The only read concern that the real server takes there, whatever the storage reads with.
      assertThat(commands.all("aggregate", Schema.COMMITS))
          .hasSize(2)
          .allSatisfy(
              watch ->
                  assertThat(watch.getDocument("readConcern").getString("level").getValue())
                      .isEqualTo("majority"));
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void where_the_stream_cannot_be_opened_own_appends_still_wake_and_polling_finds_the_others() {
    String name = Mongo.newDatabase();
    CountDownLatch woken = new CountDownLatch(1);
    try (MongoStorage storage = MongoStorage.create(Mongo.CLIENT, name);
        Hints hints = new Hints(database(Mongo.CLIENT, name), true)) {
      hints.add(
          () -> {
            throw new IllegalStateException("a hint that fails takes no other down");
          });
      hints.add(woken::countDown);
      hints.appended();
      Mongo.await(woken);
      append(storage, "1", "polled");
      assertThat(log(storage)).containsExactly("polled");
    }
  }
}
