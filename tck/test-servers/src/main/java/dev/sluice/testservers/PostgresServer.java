package dev.sluice.testservers;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.testcontainers.postgresql.PostgreSQLContainer;

/**
 * The PostgreSQL server that all tests of one JVM share. Not durable: for crash tests take {@link
 * OwnedPostgres}.
 *
 * <p>Safe for use by any number of threads.
 */
public final class PostgresServer {

  /** A JDBC URL; its user must be allowed to create databases. */
  public static final String URI_PROPERTY = "sluice.test.postgres.uri";

  private static final Pattern JDBC_URL =
      Pattern.compile("jdbc:postgresql://([^/?]+)/([^?]*)(?:\\?(.*))?");

  private static @Nullable PostgresServer shared;

  private final String description;
  private final String authority;
  private final String maintenanceDatabase;
  private final String parameters;
  private final String user;
  private final String password;
  private final Queue<String> created = new ConcurrentLinkedQueue<>();

  PostgresServer(String description, String jdbcUrl) {
    Matcher matcher = JDBC_URL.matcher(jdbcUrl);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "Not a PostgreSQL URL: "
              + jdbcUrl
              + ". Write jdbc:postgresql://host:port/database?user=…&password=…");
    }
    this.description = description;
    authority = matcher.group(1);
    maintenanceDatabase = matcher.group(2);
    String found = System.getProperty("user.name");
    String secret = "";
    StringBuilder rest = new StringBuilder();
    String query = matcher.group(3) == null ? "" : matcher.group(3);
    for (String parameter : query.split("&", 0)) {
      if (parameter.startsWith("user=")) {
        found = parameter.substring("user=".length());
      } else if (parameter.startsWith("password=")) {
        secret = parameter.substring("password=".length());
      } else if (!parameter.isEmpty()) {
        rest.append(rest.isEmpty() ? "?" : "&").append(parameter);
      }
    }
    parameters = rest.toString();
    user = found;
    password = secret;
  }

  /**
   * The server named by {@value #URI_PROPERTY}, else a container, else an embedded one; started on
   * the first call, stopped with the JVM.
   *
   * @throws IllegalStateException if the server that the property names doesn't answer
   */
  public static synchronized PostgresServer shared() {
    if (shared == null) {
      shared =
          Resolution.of(
              URI_PROPERTY,
              PostgresServer::explicit,
              PostgresServer::container,
              PostgresServer::embedded);
    }
    return shared;
  }

  /** A new, empty database on this server; dropped with the JVM. */
  public PostgresDatabase newDatabase() {
    String name = "sluice_" + UUID.randomUUID().toString().replace("-", "");
    execute("CREATE DATABASE " + name);
    created.add(name);
    return database(name);
  }

  PostgresDatabase database(String name) {
    return new PostgresDatabase(
        "jdbc:postgresql://" + authority + "/" + name + parameters, user, password);
  }

  private void execute(String sql) {
    try (Connection connection = connect();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    } catch (SQLException e) {
      throw new IllegalStateException(this + ": " + sql + " failed: " + e.getMessage(), e);
    }
  }

  private Connection connect() throws SQLException {
    PostgresDatabase database = database(maintenanceDatabase);
    return DriverManager.getConnection(database.url(), user, password);
  }

  static PostgresServer explicit(String jdbcUrl) {
    PostgresServer server = new PostgresServer("existing server", jdbcUrl);
    try (Connection connection = server.connect()) {
      connection.isValid(10);
    } catch (SQLException e) {
      throw new IllegalStateException(
          "No PostgreSQL answers at "
              + server.database(server.maintenanceDatabase)
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

  void dropCreated() {
    created.forEach(name -> execute("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"));
  }

  // Closed with the JVM, by Testcontainers' reaper.
  @SuppressWarnings("resource")
  private static PostgresServer container() {
    PostgreSQLContainer container =
        new PostgreSQLContainer("postgres:18")
            .withCommand("postgres", "-c", "fsync=off", "-c", "max_connections=300");
    container.start();
    return new PostgresServer(
        "container " + container.getDockerImageName(),
        "jdbc:postgresql://%s:%d/postgres?user=%s&password=%s"
            .formatted(
                container.getHost(),
                container.getMappedPort(5432),
                container.getUsername(),
                container.getPassword()));
  }

  private static PostgresServer embedded() {
    try {
      EmbeddedPostgres server =
          EmbeddedPostgres.builder()
              .setServerConfig("synchronous_commit", "on")
              .setServerConfig("max_prepared_transactions", "16")
              .start();
      return new PostgresServer("embedded, fsync off", server.getJdbcUrl("postgres", "postgres"));
    } catch (IOException e) {
      throw new UncheckedIOException("The embedded PostgreSQL did not start", e);
    }
  }

  @Override
  public String toString() {
    return "PostgreSQL at " + authority + " (" + description + ")";
  }
}
