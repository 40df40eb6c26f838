package dev.sluice.examples.benchmarks;

import dev.sluice.core.Position;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

/** Reads the whole log, against a plain ordered SELECT with a fetch size. */
final class PostgresRead implements Benchmark {

  private static final int EVENTS = 500_000;
  private static final int MESSAGES = 100_000;
  private static final int PAGE = 2_000;
  private static final int TURNS = 5;

  @Override
  public String name() {
    return "read";
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
  public void run(Settings settings, Report report) throws Exception {
    try (Postgres postgres = Postgres.start(4, report)) {
      for (int stream = 0; stream < EVENTS / 1_000; stream++) {
        postgres
            .storage()
            .eventStore()
            .append(
                StreamId.of("account", "" + stream),
                ExpectedVersion.noStream(),
                Samples.events(1_000, stream < MESSAGES / 1_000));
      }
      postgres.execute("vacuum (analyze) sluice.event, sluice.outbox");
      double[] byHand = new double[TURNS];
      double[] sluice = new double[TURNS];
      for (int turn = -1; turn < TURNS; turn++) {
        double first = rate(() -> select(postgres));
        double second = rate(() -> read(postgres.storage().globalLog()));
        if (turn >= 0) {
          byHand[turn] = first;
          sluice[turn] = second;
        }
      }
      Arrays.sort(byHand);
      Arrays.sort(sluice);
      report.add("read the whole log", 1, "events/s", byHand[TURNS / 2], sluice[TURNS / 2], 0.85);
      report.note(sizes(postgres));
      report.note("-Dthreads and -Dseconds have no effect: the whole log is read each time");
    }
  }

  /** What a million events, and a million messages, take on disk. */
  private static String sizes(Postgres postgres) throws SQLException {
    List<String> sizes = new ArrayList<>();
    try (Connection connection = postgres.connection();
        PreparedStatement select =
            connection.prepareStatement(
                "select c.relname, pg_relation_size(c.oid) from pg_class c where c.relname ~"
                    + " '^(event|outbox)(_by_.*)?$' and c.relnamespace = 'sluice'::regnamespace"
                    + " order by c.relname");
        ResultSet rows = select.executeQuery()) {
      while (rows.next()) {
        String name = rows.getString(1);
        int stored = name.startsWith("outbox") ? MESSAGES : EVENTS;
        sizes.add(name + " " + Math.round((double) rows.getLong(2) / stored));
      }
    }
    return "MB per million rows: " + String.join(", ", sizes);
  }

  private interface Reading {
    int run() throws SQLException;
  }

  private static double rate(Reading reading) throws SQLException {
    long begin = System.nanoTime();
    int events = reading.run();
    if (events != EVENTS) {
      throw new IllegalStateException("read " + events + " events instead of " + EVENTS);
    }
    return events / ((System.nanoTime() - begin) / 1e9);
  }

  private static int read(GlobalLog log) {
    int events = 0;
    Position after = Position.START;
    LogPage page;
    do {
      page = log.read(after, EventFilter.ALL, PAGE);
      events += page.events().size();
      after = page.next();
    } while (page.more());
    return events;
  }

  private static int select(Postgres postgres) throws SQLException {
    int events = 0;
    try (Connection connection = postgres.connection()) {
      connection.setAutoCommit(false);
      try (PreparedStatement select =
          connection.prepareStatement(
              "select e.position, e.version, e.time_us, e.kind, e.event_id, e.stream, e.data,"
                  + " e.metadata from sluice.event e order by e.position")) {
        select.setFetchSize(PAGE);
        try (ResultSet rows = select.executeQuery()) {
          while (rows.next()) {
            long sum = rows.getLong(1) + rows.getLong(2) + rows.getLong(3) + rows.getInt(4);
            UUID id = rows.getObject(5, UUID.class);
            String stream = rows.getString(6);
            if (sum + rows.getBytes(7).length + rows.getBytes(8).length > 0
                && id.version() == 7
                && !stream.isEmpty()) {
              events++;
            }
          }
        }
      }
      connection.commit();
      connection.setAutoCommit(true);
    }
    return events;
  }
}
