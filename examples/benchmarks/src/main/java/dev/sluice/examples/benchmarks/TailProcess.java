package dev.sluice.examples.benchmarks;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.testservers.PostgresDatabase;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A JVM of its own that follows the log, and says when it was handed each event. The clock is the
 * one of {@link System#nanoTime}, which all processes of a Linux machine share.
 */
final class TailProcess implements AutoCloseable {

  private static final String READY = "ready";

  private final Process process;
  private final Thread reader;
  private final Map<Position, Long> handled = new ConcurrentHashMap<>();
  private volatile boolean ready;

  private TailProcess(Process process) {
    this.process = process;
    this.reader = Thread.ofPlatform().daemon().name("tail-process-output").start(this::read);
  }

  static TailProcess start(PostgresDatabase database, String subscription) throws IOException {
    TailProcess started =
        new TailProcess(
            new ProcessBuilder(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-Xmx128m",
                    "-cp",
                    System.getProperty("java.class.path"),
                    TailProcess.class.getName(),
                    database.url(),
                    database.user(),
                    database.password(),
                    subscription)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!started.ready) {
      if (System.nanoTime() - until > 0 || !started.process.isAlive()) {
        started.close();
        throw new IllegalStateException("the other process did not start");
      }
      LockSupport.parkNanos(10_000_000);
    }
    return started;
  }

  /** When each event was handed to the handler there. */
  Map<Position, Long> awaitAll(Collection<Position> positions, Duration timeout) {
    long until = System.nanoTime() + timeout.toNanos();
    while (!handled.keySet().containsAll(positions)) {
      if (System.nanoTime() - until > 0) {
        throw new IllegalStateException("the other process did not follow");
      }
      LockSupport.parkNanos(10_000_000);
    }
    return new HashMap<>(handled);
  }

  private void read() {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.equals(READY)) {
          ready = true;
          continue;
        }
        String[] parts = line.split(" ", -1);
        handled.put(Position.parse(parts[0]), Long.parseLong(parts[1]));
      }
    } catch (IOException e) {
      // The process was ended.
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      process.waitFor(10, TimeUnit.SECONDS);
      reader.join(TimeUnit.SECONDS.toMillis(10));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The database's URL, user and password, and the subscription's name. */
  public static void main(String[] args) throws InterruptedException {
    // Standard output is for the results alone.
    PrintStream out = System.out;
    System.setOut(System.err);
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(args[0]);
    config.setUsername(args[1]);
    config.setPassword(args[2]);
    config.setMaximumPoolSize(4);
    JdbcStorage storage = JdbcStorage.create(new HikariDataSource(config));
    Subscriptions subscriptions = Subscriptions.of(storage);
    subscriptions.start(
        Subscription.named(args[3])
            .fromNow()
            .handler(event -> out.println(event.position() + " " + System.nanoTime())));
    Position head = storage.globalLog().status().head();
    if (subscriptions.await(args[3], head, Duration.ofSeconds(30))) {
      out.println(READY);
    }
    Thread.currentThread().join();
  }
}
