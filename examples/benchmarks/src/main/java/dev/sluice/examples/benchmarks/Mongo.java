package dev.sluice.examples.benchmarks;

import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoCollection;
import dev.sluice.adapter.mongo.MongoStorage;
import dev.sluice.testservers.MongoServer;
import java.util.concurrent.TimeUnit;
import org.bson.Document;
import org.bson.UuidRepresentation;

/**
 * A server, one client for both sides, and two databases with the same collections and indexes, the
 * second one for the baseline.
 */
final class Mongo implements AutoCloseable {

  private static final WriteConcern WRITE_CONCERN =
      WriteConcern.MAJORITY.withJournal(true).withWTimeout(10, TimeUnit.SECONDS);

  private final MongoClient client;
  private final MongoStorage storage;
  private final MongoCollection<Document> log;
  private final MongoCollection<Document> byHand;

  private Mongo(MongoClient client, String database, String byHand) {
    this.client = client;
    storage = MongoStorage.builder(client, database).writeConcern(WRITE_CONCERN).build();
    // The same indexes, made by the same code.
    MongoStorage.create(client, byHand).close();
    this.log = commits(database);
    this.byHand = commits(byHand);
  }

  static Mongo start(int threads, Report report) {
    MongoServer server = MongoServer.shared();
    MongoClient client =
        MongoClients.create(
            MongoClientSettings.builder()
                .applyConnectionString(new ConnectionString(server.uri()))
                .applyToConnectionPoolSettings(pool -> pool.maxSize(threads + 8))
                .uuidRepresentation(UuidRepresentation.STANDARD)
                .build());
    Mongo mongo = new Mongo(client, server.newDatabaseName(), server.newDatabaseName());
    report.server(
        "%s [%s], write concern majority and journaled, pool of %d connections"
            .formatted(mongo.storage.describe(), server, threads + 8));
    if (server.isEmbedded()) {
      report.note(
          "the embedded server keeps documents and indexes in this process's memory and syncs"
              + " nothing: the ratio compares round trips and work in the client, not disks;"
              + " -Dsluice.test.mongodb.uri=mongodb://… measures on a server of yours");
    }
    return mongo;
  }

  private MongoCollection<Document> commits(String database) {
    return client
        .getDatabase(database)
        .getCollection("sluice_commits")
        .withWriteConcern(WRITE_CONCERN);
  }

  MongoStorage storage() {
    return storage;
  }

  /** What the storage has stored, to be read by hand. */
  MongoCollection<Document> log() {
    return log;
  }

  /** An empty collection with the same indexes, to be written by hand. */
  MongoCollection<Document> byHand() {
    return byHand;
  }

  @Override
  public void close() {
    storage.close();
    client.close();
  }
}
