package dev.sluice.testservers;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.jspecify.annotations.Nullable;
import org.testcontainers.kafka.KafkaContainer;

/**
 * The Kafka broker that all tests of one JVM share; give topics and groups names of their own. For
 * crash tests take {@link OwnedKafka}.
 *
 * <p>Safe for use by any number of threads.
 */
public final class KafkaServer {

  /** {@code host:port}, several separated by commas. */
  public static final String BOOTSTRAP_PROPERTY = "sluice.test.kafka.bootstrap";

  private static @Nullable KafkaServer shared;

  private final String description;
  private final String bootstrap;

  private KafkaServer(String description, String bootstrap) {
    this.description = description;
    this.bootstrap = bootstrap;
  }

  /**
   * The broker named by {@value #BOOTSTRAP_PROPERTY}, else a container, else an embedded one;
   * started on the first call, stopped with the JVM.
   *
   * @throws IllegalStateException if the broker that the property names doesn't answer
   */
  public static synchronized KafkaServer shared() {
    if (shared == null) {
      shared =
          Resolution.of(
              BOOTSTRAP_PROPERTY,
              KafkaServer::explicit,
              KafkaServer::container,
              KafkaServer::embedded);
    }
    return shared;
  }

  /** The value for {@code bootstrap.servers}. */
  public String bootstrap() {
    return bootstrap;
  }

  static KafkaServer explicit(String bootstrap) {
    try {
      awaitReady(bootstrap, 10);
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          "No Kafka broker answers at "
              + bootstrap
              + ". Start it, correct -D"
              + BOOTSTRAP_PROPERTY
              + ", or leave the property out.",
          e);
    }
    return new KafkaServer("existing broker", bootstrap);
  }

  // Closed with the JVM, by Testcontainers' reaper.
  @SuppressWarnings("resource")
  private static KafkaServer container() {
    KafkaContainer container =
        new KafkaContainer("apache/kafka:4.1.0")
            .withEnv("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
            .withEnv("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000");
    container.start();
    return new KafkaServer(
        "container " + container.getDockerImageName(), container.getBootstrapServers());
  }

  private static KafkaServer embedded() {
    Path directory = TempDirectories.create("sluice-kafka");
    int port = TempDirectories.freePort();
    Broker broker = Broker.start(directory, Map.of("CLIENT", port));
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  broker.close();
                  TempDirectories.delete(directory);
                }));
    return new KafkaServer("embedded in this JVM", "localhost:" + port);
  }

  /** Returns once a broker answers a metadata request. */
  static void awaitReady(String bootstrap, int seconds) throws TimeoutException {
    int millis = seconds * 1000;
    try (Admin admin =
        Admin.create(
            Map.of(
                AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG,
                bootstrap,
                AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG,
                millis,
                AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG,
                millis))) {
      admin.describeCluster().nodes().get(seconds, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof org.apache.kafka.common.errors.TimeoutException) {
        throw (TimeoutException) new TimeoutException("no answer").initCause(e);
      }
      throw new IllegalStateException("Kafka at " + bootstrap + ": " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("Interrupted while waiting for Kafka at " + bootstrap, e);
    }
  }

  @Override
  public String toString() {
    return "Kafka at " + bootstrap + " (" + description + ")";
  }
}
