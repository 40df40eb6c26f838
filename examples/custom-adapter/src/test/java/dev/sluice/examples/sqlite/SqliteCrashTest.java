package dev.sluice.examples.sqlite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Storage;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that is killed in the middle of an append, which a fixture in this one can't show. */
class SqliteCrashTest {

  private static final StreamId STREAM = StreamId.of("account", "42");

  @TempDir Path directory;

  @Test
  void S1_whatAProcessWasAtWhenItWasKilledIsNotThereAndLocksNobodyOut() throws Exception {
    Path file = directory.resolve("sluice.db");
    try (Storage storage = SqliteStorage.open(file)) {
      storage.eventStore().append(append("before"));
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  Killed.class.getName(),
                  file.toString())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      try {
        assertEquals('!', process.getInputStream().read(), "the process holds an append open");
      } finally {
        process.destroyForcibly();
      }
      assertTrue(process.waitFor(30, TimeUnit.SECONDS), "the process is dead");
      assertEquals(2, storage.eventStore().append(append("after")).version());
      assertEquals(
          List.of("before", "after"),
          storage.globalLog().read(Position.START, EventFilter.ALL, 10).events().stream()
              .map(RecordedEvent::data)
              .map(Payload::toUtf8)
              .toList());
    }
  }

  private static Append append(String text) {
    NewEvent event =
        new NewEvent(
            EventIds.next(),
            "deposited",
            Instant.now(),
            Payload.ofUtf8(text),
            Payload.EMPTY,
            List.of());
    return new Append(STREAM, ExpectedVersion.any(), List.of(event));
  }

  /** Begins an append, says so, and waits for its end. */
  static final class Killed {

    private Killed() {}

    public static void main(String[] arguments) throws InterruptedException {
      Database connection = new Database(Path.of(arguments[0]));
      connection.update("BEGIN IMMEDIATE");
      SqliteStorage.append(connection, append("killed"));
      System.out.print('!');
      System.out.flush();
      Thread.sleep(60_000);
    }
  }
}
