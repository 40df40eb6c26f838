package dev.sluice.examples.bank.demo;

import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.adapter.mongo.MongoStorage;
import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Storage;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.bank.balances.Balances;
import dev.sluice.examples.bank.balances.InMemoryBalances;
import dev.sluice.examples.bank.balances.PostgresBalances;
import dev.sluice.examples.bank.demo.DemoSettings.Store;
import dev.sluice.examples.bank.published.BankLanguage;
import dev.sluice.examples.sqlite.SqliteStorage;
import dev.sluice.publisher.Relay;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import dev.sluice.testservers.KafkaServer;
import dev.sluice.testservers.MongoServer;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.apache.kafka.common.KafkaException;

/** A store and a broker, and how a service opens them. */
final class Servers implements AutoCloseable {

  static final String TOPIC = "bank";
  static final String BALANCES = "balances";

  private static final String POSTGRES_URI =
      "-Dpostgres.uri='jdbc:postgresql://host:port/database?user=…&password=…'";

  private final String kafka;
  private final Supplier<Service> store;

  private final String relayName;

  private Servers(String kafka, Supplier<Service> store, String relayName) {
    this.kafka = kafka;
    this.store = store;
    this.relayName = relayName;
  }

  /** A storage with what has to be closed after it. */
  record Service(Storage storage, AutoCloseable pool) implements AutoCloseable {

    @Override
    public void close() {
      storage.close();
      try {
        pool.close();
      } catch (Exception e) {
        throw new IllegalStateException("The connection pool did not close", e);
      }
    }
  }

  static Servers start(DemoSettings settings) {
    CompletableFuture<String> kafka =
        CompletableFuture.supplyAsync(
            () -> settings.kafkaBootstrap().orElseGet(() -> KafkaServer.shared().bootstrap()));
    CompletableFuture<Supplier<Service>> store =
        CompletableFuture.supplyAsync(
            () ->
                switch (settings.store()) {
                  case INMEMORY -> inMemory();
                  case POSTGRES -> postgres(settings);
                  case MONGO -> mongo();
                  case SQLITE -> sqlite();
                });
    try {
      Servers servers = new Servers(kafka.join(), store.join(), relayName(settings));
      servers.verifyKafka();
      return servers;
    } catch (CompletionException e) {
      if (e.getCause() instanceof DemoException problem) {
        throw problem;
      }
      throw e;
    }
  }

  private static Supplier<Service> inMemory() {
    InMemoryStorage first = InMemoryStorage.create();
    return () -> new Service(first.another(), () -> {});
  }

  private static Supplier<Service> postgres(DemoSettings settings) {
    Supplier<HikariConfig> config =
        settings.postgresUri().map(Servers::existing).orElseGet(Servers::embedded);
    return () -> {
      HikariDataSource pool = new HikariDataSource(config.get());
      return new Service(JdbcStorage.create(pool), pool);
    };
  }

  private static Supplier<Service> mongo() {
    MongoServer server = MongoServer.shared();
    String database = server.newDatabaseName();
    return () -> {
      MongoClient client = MongoClients.create(server.uri());
      return new Service(MongoStorage.create(client, database), client);
    };
  }

  private static Supplier<Service> sqlite() {
    Path file = temporaryFile("bank.db");
    return () -> new Service(SqliteStorage.open(file), () -> {});
  }

  /** Another context has a database of its own, whatever the bank's store is. */
  static String fraudDatabase() {
    return "jdbc:sqlite:" + temporaryFile("fraud.db");
  }

  private static Path temporaryFile(String name) {
    try {
      return Files.createTempDirectory("sluice-bank").resolve(name);
    } catch (IOException e) {
      throw new DemoException("No temporary folder for the SQLite file: " + e.getMessage(), e);
    }
  }

  private static Supplier<HikariConfig> embedded() {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    return () -> {
      HikariConfig config = new HikariConfig();
      config.setJdbcUrl(database.url());
      config.setUsername(database.user());
      config.setPassword(database.password());
      return config;
    };
  }

  private static Supplier<HikariConfig> existing(String uri) {
    // Without what may hold a password.
    String shown = uri.replaceFirst("\\?.*", "").replaceFirst("//[^/]*@", "//");
    if (!uri.startsWith("jdbc:postgresql:")) {
      throw new DemoException(
          "'" + shown + "' is no PostgreSQL that JDBC knows. Write " + POSTGRES_URI + ".");
    }
    DriverManager.setLoginTimeout(10);
    try (Connection connection = DriverManager.getConnection(uri)) {
      connection.getMetaData();
    } catch (SQLException e) {
      throw new DemoException(problem(shown, e), e);
    }
    return () -> {
      HikariConfig config = new HikariConfig();
      config.setJdbcUrl(uri);
      return config;
    };
  }

  private static String problem(String shown, SQLException e) {
    String state = e.getSQLState() == null ? "" : e.getSQLState();
    String said = " (" + String.valueOf(e.getMessage()).lines().findFirst().orElse("") + "). ";
    if (state.startsWith("28")) {
      return "PostgreSQL at "
          + shown
          + " doesn't let the demo in"
          + said
          + "Correct user and password in "
          + POSTGRES_URI
          + ".";
    }
    if (state.startsWith("3D")) {
      return "PostgreSQL at "
          + shown
          + " has no such database"
          + said
          + "Create it, or name another one in "
          + POSTGRES_URI
          + ".";
    }
    return "No PostgreSQL answers at "
        + shown
        + said
        + "Start it, or correct "
        + POSTGRES_URI
        + ", or leave it out: then one is started.";
  }

  private void verifyKafka() {
    try (KafkaMessagePublisher publisher = publisher()) {
      publisher.verify();
    } catch (BrokerUnavailableException | KafkaException e) {
      // Kafka's clients say in the cause what they don't like about an address.
      Throwable reason = e instanceof KafkaException && e.getCause() != null ? e.getCause() : e;
      throw new DemoException(
          "Kafka at "
              + kafka
              + " can't be used ("
              + reason.getMessage()
              + "). Start it, or correct -Dkafka.bootstrap=host:port, or leave it out: then one is"
              + " started.",
          e);
    }
  }

  /** Opens the store, as each start of a service does. */
  Service openStore() {
    return store.get();
  }

  /** Which topic each integration event goes through. */
  static PublishedLanguage language() {
    return PublishedLanguage.builder()
        .topic(TOPIC, 3, BankLanguage.TYPES.names().toArray(String[]::new))
        .build();
  }

  Bank bank(Service service) {
    return new Bank(service.storage(), JacksonSerializer.create());
  }

  /** A version of the balances view, kept as well as the store allows. */
  Balances balances(Service service, Bank bank, int version) {
    String name = BALANCES + "-v" + version;
    return service.storage() instanceof JdbcStorage postgres
        ? new PostgresBalances(postgres, bank.codec(), name)
        : new InMemoryBalances(bank.codec(), name);
  }

  Relay relay(Storage storage, MessagePublisher publisher) {
    return Relay.builder(
            relayName, storage.outbox(), storage.checkpoints(), storage.leases(), publisher)
        .leaseDuration(Story.LEASE)
        // So that what was published can be compared with what should have been.
        .keepPublished()
        .start();
  }

  KafkaMessagePublisher publisher() {
    return KafkaMessagePublisher.builder(kafka, URI.create("urn:example:bank"), language())
        .timeout(Duration.ofSeconds(10))
        .build();
  }

  /**
   * Kafka remembers how far the relay of a store has come. So a relay whose store or whose Kafka is
   * new each time needs a name that is, too.
   */
  private static String relayName(DemoSettings settings) {
    boolean lasting =
        settings.store() == Store.POSTGRES
            && settings.postgresUri().isPresent()
            && settings.kafkaBootstrap().isPresent();
    return lasting ? "bank" : "bank-" + UUID.randomUUID();
  }

  String kafka() {
    return kafka;
  }

  @Override
  public void close() {
    // The servers that were started end with the JVM; those that were found stay.
  }
}
