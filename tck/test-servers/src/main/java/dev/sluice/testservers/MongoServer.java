package dev.sluice.testservers;

import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.MongoException;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.bson.Document;
import org.jspecify.annotations.Nullable;
import org.testcontainers.mongodb.MongoDBContainer;

/**
 * The MongoDB server that all tests of one JVM share. The embedded one speaks MongoDB's protocol
 * from memory: no sessions, no transactions, no change streams. The container is a replica set.
 *
 * <p>Safe for use by any number of threads.
 */
public final class MongoServer {

  /** A connection string; its user must be allowed to create databases. */
  public static final String URI_PROPERTY = "sluice.test.mongodb.uri";

  private static @Nullable MongoServer shared;

  private final String description;
  private final String uri;
  private final Queue<String> created = new ConcurrentLinkedQueue<>();

  private final boolean embedded;

  private MongoServer(String description, String uri, boolean embedded) {
    this.description = description;
    this.uri = uri;
    this.embedded = embedded;
  }

  /**
   * The server named by {@value #URI_PROPERTY}, else a container, else an embedded one; started on
   * the first call, stopped with the JVM.
   *
   * @throws IllegalStateException if the server that the property names doesn't answer
   */
  public static synchronized MongoServer shared() {
    if (shared == null) {
      shared =
          Resolution.of(
              URI_PROPERTY, MongoServer::explicit, MongoServer::container, MongoServer::embedded);
    }
    return shared;
  }

  /** The connection string of the server. */
  public String uri() {
    return uri;
  }

  /** Whether it is the one in this JVM's memory, which says little about speed. */
  public boolean isEmbedded() {
    return embedded;
  }

  /** A name that no database on this server has; the database is dropped with the JVM. */
  public String newDatabaseName() {
    String name = "sluice_" + UUID.randomUUID().toString().replace("-", "");
    created.add(name);
    return name;
  }

  static MongoServer explicit(String uri) {
    MongoServer server = new MongoServer("existing server", uri, false);
    try (MongoClient client = server.impatientClient()) {
      client.getDatabase("admin").runCommand(new Document("ping", 1));
    } catch (MongoException | IllegalArgumentException e) {
      throw new IllegalStateException(
          "No MongoDB answers at "
              + server.withoutPassword()
              + " ("
              + e.getMessage()
              + "). Start it, correct -D"
              + URI_PROPERTY
              + ", or leave the property out.",
          e);
    }
    // The servers that we start vanish with the JVM; this one stays, so leave it as it was.
    Runtime.getRuntime().addShutdownHook(new Thread(server::dropCreated));
    return server;
  }

  private MongoClient impatientClient() {
    return MongoClients.create(
        MongoClientSettings.builder()
            .applyConnectionString(new ConnectionString(uri))
            .applyToClusterSettings(cluster -> cluster.serverSelectionTimeout(10, TimeUnit.SECONDS))
            .build());
  }

  void dropCreated() {
    try (MongoClient client = impatientClient()) {
      created.forEach(name -> client.getDatabase(name).drop());
    } catch (MongoException e) {
      // It went away before us, and with it, or on its disk, what we created.
    }
  }

  // Closed with the JVM, by Testcontainers' reaper.
  @SuppressWarnings("resource")
  private static MongoServer container() {
    MongoDBContainer container = new MongoDBContainer("mongo:8").withReplicaSet();
    container.start();
    return new MongoServer(
        "container " + container.getDockerImageName(), container.getConnectionString(), false);
  }

  private static MongoServer embedded() {
    de.bwaldvogel.mongo.MongoServer server =
        new de.bwaldvogel.mongo.MongoServer(new OrderedBackend());
    String uri = server.bindAndGetConnectionString();
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    return new MongoServer("embedded, in memory, speaks the protocol only", uri, true);
  }

  private String withoutPassword() {
    return uri.replaceFirst("//([^:@/]+):[^@/]*@", "//$1:***@");
  }

  @Override
  public String toString() {
    return "MongoDB at " + withoutPassword() + " (" + description + ")";
  }
}
