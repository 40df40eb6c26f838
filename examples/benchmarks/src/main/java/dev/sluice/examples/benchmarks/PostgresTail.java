package dev.sluice.examples.benchmarks;

import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.Subscriptions;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

/**
 * How long it takes from an append's return until a handler has the event, at 200 appends a second:
 * in the same process and in another one, undisturbed, while somebody's unrelated transaction stays
 * open, and while an append is held open for what was appended before it.
 */
final class PostgresTail implements Benchmark {

  static final String NAME = "tail";

  private static final long PERIOD = 5_000_000;
  private static final long HELD = 3_500_000;
  private static final Duration BOUND = Duration.ofSeconds(30);

  /** What happens beside the appends. */
  private enum Beside {
    NOTHING("undisturbed"),
    STRANGER("beside a stranger's open transaction"),
    HELD_APPEND("while a later append is held open");

    private final String words;

    Beside(String words) {
      this.words = words;
    }
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String store() {
    return "postgres";
  }

  @Override
  public List<Integer> defaultThreads() {
    return List.of(1);
  }

  @Override
  public int seconds() {
    return 10;
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    try (Postgres postgres = Postgres.start(6, report)) {
      postgres.execute("create table public.stranger (id bigint)");
      sameProcess(postgres, Math.max(3, settings.seconds() / 2), Beside.NOTHING);
      for (Beside beside : Beside.values()) {
        long[] nanos = sameProcess(postgres, settings.seconds(), beside);
        report.latency("same process, " + beside.words, 0.6, 4, nanos);
      }
      for (Beside beside : Beside.values()) {
        long[] nanos = otherProcess(postgres, settings.seconds(), beside);
        report.latency("another process, " + beside.words, 3, 15, nanos);
      }
      report.note("-Dthreads has no effect: one thread appends every 5 ms");
      report.note("an event that is handled before its append has returned counts as 0 ms");
    }
  }

  private static long[] sameProcess(Postgres postgres, int seconds, Beside beside)
      throws SQLException {
    Map<Position, Long> handled = new ConcurrentHashMap<>();
    try (Subscriptions here = Subscriptions.of(postgres.storage())) {
      Registration running =
          here.start(
              Subscription.named("tail-here-" + beside + seconds)
                  .fromNow()
                  .handler(event -> handled.put(event.position(), System.nanoTime())));
      Position last = postgres.storage().globalLog().status().head();
      here.await("tail-here-" + beside + seconds, last, BOUND);
      Map<Position, Long> appended = append(postgres, seconds, beside);
      last = appended.keySet().stream().max(Position::compareTo).orElseThrow();
      if (!here.await("tail-here-" + beside + seconds, last, BOUND)) {
        throw new IllegalStateException("the subscription did not follow: " + here.status());
      }
      running.close();
      return latencies(appended, handled);
    }
  }

  private static long[] otherProcess(Postgres postgres, int seconds, Beside beside)
      throws Exception {
    try (TailProcess process = TailProcess.start(postgres.database(), "tail-there-" + beside)) {
      // Until the other JVM has compiled what it needs.
      process.awaitAll(append(postgres, Math.max(3, seconds / 2), Beside.NOTHING).keySet(), BOUND);
      Map<Position, Long> appended = append(postgres, seconds, beside);
      return latencies(appended, process.awaitAll(appended.keySet(), BOUND));
    }
  }

  private static long[] latencies(Map<Position, Long> appended, Map<Position, Long> handled) {
    return appended.entrySet().stream()
        .mapToLong(
            entry ->
                Math.max(0, Objects.requireNonNull(handled.get(entry.getKey())) - entry.getValue()))
        .toArray();
  }

  /** Appends for some time; returns when each append had returned. */
  private static Map<Position, Long> append(Postgres postgres, int seconds, Beside beside)
      throws SQLException {
    JdbcStorage storage = postgres.storage();
    Map<Position, Long> appended = new ConcurrentHashMap<>();
    StreamId stream = StreamId.of("account", "tail");
    StreamId other = StreamId.of("account", "held");
    try (Connection connection = postgres.connection()) {
      connection.setAutoCommit(false);
      if (beside == Beside.STRANGER) {
        try (Statement write = connection.createStatement()) {
          write.execute("insert into public.stranger values (1)");
        }
      }
      long next = System.nanoTime();
      long end = next + seconds * 1_000_000_000L;
      while (next < end) {
        next += PERIOD;
        LockSupport.parkNanos(next - System.nanoTime());
        AppendResult result =
            storage.eventStore().append(stream, ExpectedVersion.any(), Samples.events(1, false));
        long returned = System.nanoTime();
        appended.put(result.position(), returned);
        if (beside == Beside.HELD_APPEND) {
          storage
              .join(connection)
              .eventStore()
              .append(other, ExpectedVersion.any(), Samples.events(1, false));
          LockSupport.parkNanos(returned + HELD - System.nanoTime());
          connection.rollback();
        }
      }
      connection.rollback();
      connection.setAutoCommit(true);
    }
    return appended;
  }
}
