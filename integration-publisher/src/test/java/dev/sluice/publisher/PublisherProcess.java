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
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/** A relay in a JVM of its own, for tests that kill it. Ends when its standard input does. */
final class PublisherProcess implements AutoCloseable {
  enum Mode {
    TRANSACTIONS,
    /** With batches as large as they are by default. */
    LARGE_BATCHES,
    AT_LEAST_ONCE,
    /** What a new type missed, from history. */
    BACKFILL,
    /** Publishes messages and progress apart from each other, a moment after them. */
    TORN,
    /** Says before each batch that it is about to publish, and waits a moment then. */
    SLOW,
    SLOW_UNFENCED,
    /** Says when all of a batch was sent that it is about to commit, and waits a moment then. */
    SLOW_COMMIT;

    boolean isSlow() {
      return compareTo(TORN) >= 0;
    }
  }

  static final String TYPE = "bank.deposit";

  private static final String NOW = "now";
  private static final String OVER = "over";

  /** Long enough to be killed or stopped in. */
  private static final Duration MOMENT = Duration.ofMillis(200);

  /** The shortest that there is: who is killed is soon replaced. */
  static final Duration LEASE = Duration.ofSeconds(1);

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
    // The heap that a backlog of any size must fit into. A lane survives an Error, so the process
    // must not.
    command.addAll(
        List.of(
            "-Xmx128m",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC"));
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

  /** Returns when a slow process is where it waits a moment. */
  void awaitMoment() {
    await(NOW);
  }

  /** Returns when a slow process has published a batch, or was refused. */
  void awaitOutcome() {
    await(OVER);
  }

  private void await(String word) {
    try {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        if (line.equals(word)) {
          return;
        }
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    throw new AssertionError("the publisher ended");
  }

  /** Lets it change the number of lanes; it may not come to that. */
  void changeLanes(int lanes) {
    try {
      process.getOutputStream().write(lanes);
      process.getOutputStream().flush();
    } catch (IOException e) {
      // It was killed meanwhile.
    }
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
      // What is left open by somebody whom nobody fences ends by itself.
      Unfenced.of(builder).client("transaction.timeout.ms", 8_000);
    }
    if (mode == Mode.AT_LEAST_ONCE) {
      builder.atLeastOnce();
    }
    if (mode == Mode.SLOW_COMMIT) {
      builder.client("interceptor.classes", SlowCommit.class.getName());
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
                    mode.isSlow() ? new SlowPublisher(kafka, mode) : kafka)
                .lanes(Integer.parseInt(args[6]))
                // Without fencing a busy machine must not make zombies.
                .leaseDuration(mode == Mode.AT_LEAST_ONCE ? LEASE.multipliedBy(3) : LEASE)
                .maxBatchMessages(mode == Mode.LARGE_BATCHES ? 2_000 : 50)
                .start()) {
      for (int lanes = System.in.read(); lanes >= 0; lanes = System.in.read()) {
        try {
          relay.changeLanes(lanes, "operator", "test");
        } catch (RuntimeException e) {
          System.err.println("not changed to " + lanes + " lanes: " + e.getMessage());
        }
      }
    }
  }

  private static void moment() {
    System.out.println(NOW);
    LockSupport.parkNanos(MOMENT.toNanos());
  }

  /**
   * The record of the progress is the last one before the commit. Consumers get the same setting,
   * hence the second interface.
   */
  public static final class SlowCommit implements ProducerInterceptor<byte[], byte[]> {
    private boolean messages;

    @Override
    public ProducerRecord<byte[], byte[]> onSend(ProducerRecord<byte[], byte[]> record) {
      boolean progress = record.topic().startsWith("sluice-relay-");
      if (progress && messages) {
        moment();
      }
      messages = !progress;
      return record;
    }

    @Override
    public void onAcknowledgement(RecordMetadata metadata, Exception exception) {}

    @Override
    public void configure(Map<String, ?> configs) {}

    @Override
    public void close() {}
  }

  /** The fewest connections that do: fifty processes come and go. */
  static HikariDataSource pool(PostgresDatabase database, int size) {
    HikariConfig config = new HikariConfig();
    config.setDataSource(database.dataSource());
    config.setMaximumPoolSize(size);
    config.setMinimumIdle(1);
    return new HikariDataSource(config);
  }

  private record SlowPublisher(MessagePublisher publisher, Mode mode) implements MessagePublisher {
    @Override
    public Lane open(String relay, int lane) {
      return new SlowLane(publisher.open(relay, lane), mode);
    }

    @Override
    public void close() {}
  }

  private static final class SlowLane implements MessagePublisher.Lane {
    private final MessagePublisher.Lane lane;
    private final boolean torn;
    private final boolean waits;
    private Progress former;

    SlowLane(MessagePublisher.Lane lane, Mode mode) {
      this.lane = lane;
      this.torn = mode == Mode.TORN;
      this.waits = mode != Mode.SLOW_COMMIT;
      this.former = lane.progress().orElse(new Progress(Position.START, ""));
    }

    @Override
    public Optional<Progress> progress() {
      return lane.progress();
    }

    @Override
    public void publish(List<OutboxMessage> messages, Progress reached) {
      try {
        if (!messages.isEmpty()) {
          if (torn) {
            lane.publish(messages, former);
          }
          if (waits) {
            moment();
          }
        }
        lane.publish(torn ? List.of() : messages, reached);
        former = reached;
      } finally {
        System.out.println(OVER);
      }
    }

    @Override
    public void close() {
      lane.close();
    }
  }
}
