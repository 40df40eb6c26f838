package dev.sluice.testservers;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A PostgreSQL server of its own for one test, with fsync on, that can be killed and started again
 * on the same data and the same port. Not safe for use by several threads at a time.
 */
public final class OwnedPostgres implements AutoCloseable {

  private final Path data;
  private final Path backup;
  private final int port;
  private @Nullable EmbeddedPostgres running;

  private OwnedPostgres() {
    data = TempDirectories.create("sluice-postgres");
    backup = TempDirectories.create("sluice-postgres-backup");
    port = TempDirectories.freePort();
  }

  /** A new server with no databases of the test's yet. */
  public static OwnedPostgres start() {
    OwnedPostgres server = new OwnedPostgres();
    server.restart();
    Runtime.getRuntime().addShutdownHook(new Thread(server::close));
    return server;
  }

  public int port() {
    return port;
  }

  /** A new, empty database. */
  public PostgresDatabase newDatabase() {
    return new PostgresServer(
            "owned", "jdbc:postgresql://localhost:" + port + "/postgres?user=postgres")
        .newDatabase();
  }

  /** {@code kill -9} of the server process; returns when it and all its children are gone. */
  public void kill() {
    if (running == null) {
      throw new IllegalStateException("Not running; call restart() first");
    }
    try {
      long pid = Long.parseLong(Files.readAllLines(data.resolve("postmaster.pid")).get(0).strip());
      ProcessHandle postmaster =
          ProcessHandle.of(pid)
              .orElseThrow(() -> new IllegalStateException("No process " + pid + " to kill"));
      List<ProcessHandle> family = postmaster.descendants().toList();
      postmaster.destroyForcibly();
      postmaster.onExit().get(10, TimeUnit.SECONDS);
      // Backends leave by themselves once the postmaster is dead, unless they are busy.
      for (ProcessHandle child : family) {
        child.destroyForcibly();
        child.onExit().get(10, TimeUnit.SECONDS);
      }
      running = null;
      // Its close() would complain that it can't stop a dead server. All that it still holds is a
      // lock on this file, and the next start locks a new one.
      Files.deleteIfExists(data.resolve("epg-lock"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("Interrupted while killing PostgreSQL", e);
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException("PostgreSQL would not die", e);
    }
  }

  /** Starts the server again after {@link #kill()}; returns when it answers. */
  public void restart() {
    if (running != null) {
      throw new IllegalStateException("Already running; call kill() first");
    }
    try {
      running =
          EmbeddedPostgres.builder()
              .setDataDirectory(data)
              .setCleanDataDirectory(false)
              .setRegisterShutdownHook(false)
              .setPort(port)
              .setServerConfig("fsync", "on")
              .setServerConfig("synchronous_commit", "on")
              .setServerConfig("max_prepared_transactions", "16")
              .setPGStartupWait(Duration.ofSeconds(60))
              .start();
    } catch (IOException e) {
      throw new UncheckedIOException("PostgreSQL did not start on " + data, e);
    }
  }

  /** Starts the server again after {@link #kill()} as a standby, which replays and only reads. */
  public void restartAsStandby() {
    try {
      Files.createFile(data.resolve("standby.signal"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    restart();
  }

  /** Copies all data as they are after {@link #kill()}, for {@link #restore}. */
  public void backUp() {
    copy(data, backup);
  }

  /** Puts back, after {@link #kill()}, what {@link #backUp()} has copied. */
  public void restore() {
    copy(backup, data);
  }

  private void copy(Path from, Path to) {
    if (running != null) {
      throw new IllegalStateException("Running; call kill() first");
    }
    TempDirectories.delete(to);
    try (Stream<Path> all = Files.walk(from)) {
      for (Path each : (Iterable<Path>) all::iterator) {
        Files.copy(each, to.resolve(from.relativize(each)), StandardCopyOption.COPY_ATTRIBUTES);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Stops the server and deletes its data. */
  @Override
  public void close() {
    EmbeddedPostgres server = running;
    running = null;
    if (server != null) {
      try {
        server.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    TempDirectories.delete(data);
    TempDirectories.delete(backup);
  }

  @Override
  public String toString() {
    return "PostgreSQL at localhost:" + port + " (owned, fsync on)";
  }
}
