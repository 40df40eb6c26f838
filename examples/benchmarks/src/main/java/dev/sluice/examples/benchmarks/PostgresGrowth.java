package dev.sluice.examples.benchmarks;

import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Appends to, and loads from, a store of five million events, against one that was just made. */
final class PostgresGrowth implements Benchmark {

  private static final int EVENTS = 5_000_000;
  private static final int LENGTH = 100;
  private static final int CHUNK = 500_000;

  /** How many streams are loaded in turn, spread over all that there are. */
  private static final int LOADED = 500;

  @Override
  public String name() {
    return "growth";
  }

  @Override
  public String store() {
    return "postgres";
  }

  @Override
  public List<Integer> defaultThreads() {
    return List.of(8);
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    int most = settings.mostThreads();
    try (Postgres postgres = Postgres.start(most, report);
        JdbcStorage grown = postgres.storage("grown")) {
      fill(postgres, "sluice", LOADED);
      fill(postgres, "grown", EVENTS / LENGTH);
      for (int threads : settings.threads()) {
        double[] appends =
            Rates.perSecond(
                threads,
                settings.seconds(),
                List.of(
                    thread -> append(postgres.storage().eventStore(), threads + "-" + thread),
                    thread -> append(grown.eventStore(), threads + "-" + thread)));
        report.add("append 1 event", threads, "appends/s", appends[0], appends[1], 0.8);
        double[] loads =
            Rates.perSecond(
                threads,
                settings.seconds(),
                List.of(
                    thread -> load(postgres.storage().eventStore(), thread, 1),
                    thread -> load(grown.eventStore(), thread, EVENTS / LENGTH / LOADED)));
        report.add("load 100 events", threads, "loads/s", loads[0], loads[1], 0.8);
      }
      report.note(
          "by hand: Sluice on %,d events; sluice: on %,d".formatted(LOADED * LENGTH, EVENTS));
    }
  }

  /** Streams as appends would have stored them, one event each; with SQL, which is faster. */
  private static void fill(Postgres postgres, String schema, int streams) throws SQLException {
    postgres.execute(
        "insert into "
            + schema
            + ".event_kind (category, type) values ('account', '"
            + Samples.TYPE
            + "') on conflict do nothing");
    int events = streams * LENGTH;
    for (int from = 0; from < events; from += CHUNK) {
      try (Connection connection = postgres.connection();
          PreparedStatement insert =
              connection.prepareStatement(
                  """
                  insert into %1$s.event
                    (position, version, time_us, kind, event_id, stream, data, metadata)
                  select nextval('%1$s.commit_number') << 16, (i %% %2$d) + 1, i, k.id, uuidv7(),
                    'account-full-' || (i / %2$d), ?, ?
                  from generate_series(?::bigint, ?::bigint) i, %1$s.event_kind k
                  """
                      .formatted(schema, LENGTH))) {
        insert.setBytes(1, Samples.DATA.toBytes());
        insert.setBytes(2, Samples.METADATA.toBytes());
        insert.setLong(3, from);
        insert.setLong(4, Math.min(from + CHUNK, events) - 1L);
        insert.executeUpdate();
      }
      System.out.printf("filled %s: %,d of %,d%n", schema, Math.min(from + CHUNK, events), events);
    }
    postgres.execute("vacuum (analyze) " + schema + ".event");
  }

  private static Rates.Step append(EventStore store, String run) {
    long[] versions = new long[LENGTH];
    int[] next = {0};
    return () -> {
      int stream = next[0]++ % LENGTH;
      store.append(
          StreamId.of("account", "new-" + run + "-" + stream),
          ExpectedVersion.exactly(versions[stream]++),
          Samples.events(1, false));
    };
  }

  private static Rates.Step load(EventStore store, int thread, int distance) {
    int[] next = {thread};
    return () -> {
      int stream = next[0]++ % LOADED * distance;
      List<DomainEvent> events = new ArrayList<>(LENGTH);
      store
          .readFrom(StreamId.of("account", "full-" + stream), 1)
          .forEach(recorded -> events.add(Samples.CODEC.decode(recorded)));
      if (events.size() != LENGTH) {
        throw new IllegalStateException("loaded " + events.size() + " events of " + stream);
      }
    };
  }
}
