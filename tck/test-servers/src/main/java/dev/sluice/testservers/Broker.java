package dev.sluice.testservers;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;

/** A broker and its controller in this JVM: one node, sized for tests. */
final class Broker implements AutoCloseable {

  private final KafkaRaftServer server;

  private Broker(KafkaRaftServer server) {
    this.server = server;
  }

  /**
   * Starts on a directory, which keeps the data; formats it if it is empty.
   *
   * @param listeners the port of each listener on localhost, by name
   */
  static Broker start(Path directory, Map<String, Integer> listeners) {
    return start(directory, listeners, listeners);
  }

  /**
   * @param advertised for each listener the port that clients are told to use
   */
  static Broker start(
      Path directory, Map<String, Integer> listeners, Map<String, Integer> advertised) {
    int controller = TempDirectories.freePort();
    Properties settings = new Properties();
    settings.put("process.roles", "broker,controller");
    settings.put("node.id", "1");
    settings.put("controller.quorum.voters", "1@localhost:" + controller);
    settings.put("controller.listener.names", "CONTROLLER");
    settings.put("listeners", addresses(listeners) + ",CONTROLLER://localhost:" + controller);
    settings.put("advertised.listeners", addresses(advertised));
    settings.put("inter.broker.listener.name", "CLIENT");
    settings.put(
        "listener.security.protocol.map",
        "CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT,PROXIED:PLAINTEXT");
    settings.put("log.dirs", directory.resolve("data").toString());
    settings.put("num.partitions", "1");
    settings.put("offsets.topic.replication.factor", "1");
    settings.put("offsets.topic.num.partitions", "1");
    settings.put("transaction.state.log.replication.factor", "1");
    settings.put("transaction.state.log.min.isr", "1");
    settings.put("transaction.state.log.num.partitions", "4");
    settings.put("share.coordinator.state.topic.replication.factor", "1");
    settings.put("share.coordinator.state.topic.min.isr", "1");
    settings.put("share.coordinator.state.topic.num.partitions", "1");
    // Tests start and end many consumers; none should wait for others to join it.
    settings.put("group.initial.rebalance.delay.ms", "0");
    settings.put("group.min.session.timeout.ms", "1000");
    settings.put("group.consumer.min.session.timeout.ms", "1000");
    settings.put("group.consumer.min.heartbeat.interval.ms", "100");
    // After kill -9 the restarted controller waits until the session of the killed broker is over.
    settings.put("broker.session.timeout.ms", "3000");
    settings.put("broker.heartbeat.interval.ms", "500");
    settings.put("controller.quorum.election.timeout.ms", "300");
    settings.put("controller.quorum.fetch.timeout.ms", "600");
    // Everybody may do everything, until a test takes a right away.
    settings.put(
        "authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    settings.put("allow.everyone.if.no.acl.found", "true");
    settings.put("log.cleaner.dedupe.buffer.size", Integer.toString(2 * 1024 * 1024));
    settings.put("log.message.timestamp.type", "CreateTime");

    format(directory, settings);
    KafkaRaftServer server = new KafkaRaftServer(new KafkaConfig(settings), Time.SYSTEM);
    server.startup();
    return new Broker(server);
  }

  private static String addresses(Map<String, Integer> ports) {
    return ports.entrySet().stream()
        .map(listener -> listener.getKey() + "://localhost:" + listener.getValue())
        .collect(Collectors.joining(","));
  }

  private static void format(Path directory, Properties settings) {
    try {
      Path file = directory.resolve("broker.properties");
      boolean isNew = !Files.exists(directory.resolve("data"));
      try (Writer writer = Files.newBufferedWriter(file)) {
        settings.store(writer, null);
      }
      if (!isNew) {
        return;
      }
      ByteArrayOutputStream output = new ByteArrayOutputStream();
      int status =
          StorageTool.execute(
              new String[] {"format", "-t", Uuid.randomUuid().toString(), "-c", file.toString()},
              new PrintStream(output, true, StandardCharsets.UTF_8));
      if (status != 0) {
        throw new IllegalStateException(
            "Kafka could not format " + directory + ": " + output.toString(StandardCharsets.UTF_8));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  void await() {
    server.awaitShutdown();
  }

  @Override
  public void close() {
    server.shutdown();
    server.awaitShutdown();
  }
}
