package dev.sluice.testservers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A Kafka broker of its own for one test, in a process of its own, that can be killed and started
 * again on the same data and the same ports; also reachable through a {@link FlakyProxy}. Not safe
 * for use by several threads at a time.
 */
public final class OwnedKafka implements AutoCloseable {

  private static final int START_SECONDS = 60;

  private final Path directory = TempDirectories.create("sluice-kafka");
  private final int port = TempDirectories.freePort();
  private final int proxiedPort = TempDirectories.freePort();
  private final FlakyProxy proxy = FlakyProxy.to("localhost", proxiedPort);
  private @Nullable Process running;

  private OwnedKafka() {}

  /** A new broker without topics. */
  public static OwnedKafka start() {
    OwnedKafka broker = new OwnedKafka();
    Runtime.getRuntime().addShutdownHook(new Thread(broker::close));
    broker.restart();
    return broker;
  }

  /** The value for {@code bootstrap.servers}. */
  public String bootstrap() {
    return "localhost:" + port;
  }

  /** The same broker; all traffic of a client that starts from here goes through the proxy. */
  public String bootstrapThroughProxy() {
    return "localhost:" + proxy.port();
  }

  public FlakyProxy proxy() {
    return proxy;
  }

  /** {@code kill -9} of the broker's process; returns when it is gone. */
  public void kill() {
    Process process = running;
    if (process == null) {
      throw new IllegalStateException("Not running; call restart() first");
    }
    process.destroyForcibly();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        throw new IllegalStateException("The broker would not die");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("Interrupted while killing the broker", e);
    }
    running = null;
  }

  /** Starts the broker again after {@link #kill()}; returns when it answers. */
  public void restart() {
    if (running != null) {
      throw new IllegalStateException("Already running; call kill() first");
    }
    Path log = directory.resolve("broker.log");
    try {
      Path arguments = directory.resolve("java.args");
      Files.writeString(
          arguments,
          "-Xmx256m -XX:TieredStopAtLevel=1 -cp \""
              + System.getProperty("java.class.path").replace("\\", "\\\\")
              + "\"");
      Process process =
          new ProcessBuilder(
                  List.of(
                      Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                      "@" + arguments,
                      BrokerProcess.class.getName(),
                      directory.toString(),
                      Integer.toString(port),
                      Integer.toString(proxiedPort),
                      Integer.toString(proxy.port())))
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
              .start();
      running = process;
      KafkaServer.awaitReady(bootstrap(), START_SECONDS);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          "The broker did not answer within " + START_SECONDS + " s. Its output: " + tail(log), e);
    }
  }

  private static String tail(Path log) {
    try {
      List<String> lines = Files.readAllLines(log);
      return String.join("\n", lines.subList(Math.max(0, lines.size() - 30), lines.size()));
    } catch (IOException e) {
      return "unreadable: " + e;
    }
  }

  /** Kills the broker and deletes its data. */
  @Override
  public void close() {
    if (running != null) {
      kill();
    }
    proxy.close();
    TempDirectories.delete(directory);
  }

  @Override
  public String toString() {
    return "Kafka at " + bootstrap() + " (owned, in its own process)";
  }
}
