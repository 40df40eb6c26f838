package dev.sluice.publisher;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import dev.sluice.publisher.kafka.Unfenced;
import dev.sluice.testservers.PostgresDatabase;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A relay in a JVM of its own, for tests that kill it. Ends when its standard input does. */
final class PublisherProcess implements AutoCloseable {
  enum Mode {
    TRANSACTIONS,
    /** With batches as large as they are by default. */
    LARGE_BATCHES,
    AT_LEAST_ONCE,
    /** What a new type missed, from history. */
    BACKFILL,
    /** Publishes messages and progress apart from each other. */
    TORN,
    /** Says before each batch that it is about to publish, and waits a moment then. */
    SLOW,
    SLOW_UNFENCED;

    boolean isSlow() {
      return compareTo(TORN) >= 0;
    }
  }

  static final String TYPE = "bank.deposit";
  static final String ABOUT_TO_PUBLISH = "about to publish";

  private final Process process;
  private final BufferedReader output;

  /** The classes of the first process; of this JVM, so not made by the processes themselves. */
  private static final class Archive {
    static final Path FILE = temporary();

    private static Path temporary() {
      try {
        File directory = Files.createTempDirectory("sluice-publisher").toFile();
        directory.deleteOnExit();
        File archive = new File(directory, "classes.jsa");
        archive.deleteOnExit();
        return archive.toPath();
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private PublisherProcess(Process process) {
    this.process = process;
    this.output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  static PublisherProcess start(
      Mode mode, PostgresDatabase database, String bootstrap, String relay, int lanes) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // The heap that a backlog of any size must fit into.
    command.addAll(List.of("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    // Fifty starts are cheaper with the classes of the first one, which leaves them when it ends.
    command.addAll(
        List.of(
            "-Xlog:disable",
            "-XX:+AutoCreateSharedArchive",
            "-XX:SharedArchiveFile=" + Archive.FILE));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(PublisherProcess.class.getName());
    command.addAll(
        List.of(
            mode.name(),
            database.url(),
            database.user(),
            database.password().isEmpty() ? "-" : database.password(),
            bootstrap,
            relay,
            "" + lanes));
    try {
      return new PublisherProcess(
          new ProcessBuilder(command)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .redirectOutput(
                  mode.isSlow() ? ProcessBuilder.Redirect.PIPE : ProcessBuilder.Redirect.to(log()))
              .start());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Where its log goes; {@code -Dsluice.test.publisher.logs=directory} keeps it. */
  private static File log() {
    String directory = System.getProperty("sluice.test.publisher.logs");
    return directory == null
        ? new File("/dev/null")
        : new File(directory, System.nanoTime() + ".log");
  }

  String owner() {
    return "process " + process.pid();
  }

  boolean isRunning() {
    return process.isAlive();
  }

  void kill() {
    process.destroyForcibly();
    await();
  }

  void signal(String name) {
    try {
      int status =
          new ProcessBuilder("kill", "-" + name.toUpperCase(Locale.ROOT), "" + process.pid())
              .inheritIO()
              .start()
              .waitFor();
      if (status != 0) {
        throw new IllegalStateException("kill -" + name + " ended with " + status);
      }
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Returns when the process is about to publish a batch. */
  void awaitAboutToPublish() {
    try {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        if (line.equals(ABOUT_TO_PUBLISH)) {
          return;
        }
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    throw new AssertionError("the publisher ended");
  }

  /** Lets it stop in order. */
  void leave() {
    try {
      process.getOutputStream().close();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    await();
  }

  private void await() {
    try {
      if (!process.waitFor(40, TimeUnit.SECONDS)) {
        throw new IllegalStateException(owner() + " does not end");
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    kill();
  }

  public static void main(String[] args) throws IOException {
    Mode mode = Mode.valueOf(args[0]);
    PostgresDatabase database =
        new PostgresDatabase(args[1], args[2], args[3].equals("-") ? "" : args[3]);
    String relayName = args[5];
    KafkaMessagePublisher.Builder builder =
        KafkaMessagePublisher.builder(
                args[4],
                URI.create("urn:test:bank"),
                PublishedLanguage.builder().topic(relayName, 3, TYPE).build())
            // Small, so that a stalled network is over soon.
            .client("request.timeout.ms", 2_000)
            .client("delivery.timeout.ms", 6_000)
            .timeout(Duration.ofSeconds(6));
    if (mode == Mode.SLOW_UNFENCED) {
      Unfenced.of(builder);
    }
    if (mode == Mode.AT_LEAST_ONCE) {
      builder.atLeastOnce();
    }
    try (HikariDataSource pool = pool(database, 4);
        JdbcStorage storage = JdbcStorage.create(pool);
        KafkaMessagePublisher kafka = builder.build();
        Relay relay =
            Relay.builder(
                    relayName,
                    mode == Mode.BACKFILL ? History.missed(storage) : storage.outbox(),
                    storage.checkpoints(),
                    storage.leases(),
                    mode.isSlow() ? new SlowPublisher(kafka, mode == Mode.TORN) : kafka)
                .lanes(Integer.parseInt(args[6]))
                // Longer than a new JVM on a busy machine needs to open a lane.
                .leaseDuration(Duration.ofSeconds(2))
                .maxBatchMessages(mode == Mode.LARGE_BATCHES ? 2_000 : 50)
                .start()) {
      while (System.in.read() >= 0) {
        relay.signal();
      }
    }
  }

  /** The fewest connections that do: fifty processes come and go. */
  static HikariDataSource pool(PostgresDatabase database, int size) {
    HikariConfig config = new HikariConfig();
    config.setDataSource(database.dataSource());
    config.setMaximumPoolSize(size);
    config.setMinimumIdle(1);
    return new HikariDataSource(config);
  }

  private record SlowPublisher(MessagePublisher publisher, boolean torn)
      implements MessagePublisher {
    @Override
    public Lane open(String relay, int lane) {
      return new SlowLane(publisher.open(relay, lane), torn);
    }

    @Override
    public void close() {}
  }

  private static final class SlowLane implements MessagePublisher.Lane {
    private final MessagePublisher.Lane lane;
    private final boolean torn;
    private Progress former;

    SlowLane(MessagePublisher.Lane lane, boolean torn) {
      this.lane = lane;
      this.torn = torn;
      this.former = lane.progress().orElse(new Progress(Position.START, ""));
    }

    @Override
    public Optional<Progress> progress() {
      return lane.progress();
    }

    @Override
    public void publish(List<OutboxMessage> messages, Progress reached) {
      if (!messages.isEmpty()) {
        if (torn) {
          lane.publish(messages, former);
        }
        System.out.println(ABOUT_TO_PUBLISH);
        // Long enough to be stopped in.
        LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
      }
      lane.publish(torn ? List.of() : messages, reached);
      former = reached;
    }

    @Override
    public void close() {
      lane.close();
    }
  }
}
