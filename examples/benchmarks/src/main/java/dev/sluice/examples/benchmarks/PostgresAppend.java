package dev.sluice.examples.benchmarks;

import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;

/**
 * Appends to streams of each thread's own, expecting the exact version, against one multi-row
 * INSERT in autocommit: the same rows with the same indexes, but no outbox, no version check beyond
 * the unique index, and no order of commits.
 */
final class PostgresAppend implements Benchmark {

  private static final int STREAMS = 100;

  @Override
  public String name() {
    return "append";
  }

  @Override
  public String store() {
    return "postgres";
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    int most = settings.mostThreads();
    try (Postgres postgres = Postgres.start(most, report)) {
      report.note("the baseline has no outbox, also where Sluice stores a message per event");
      for (int batch : new int[] {1, 10}) {
        for (int threads : settings.threads()) {
          String run = batch + "x" + threads + "-";
          double[] rates =
              Rates.perSecond(
                  threads,
                  settings.seconds(),
                  List.of(
                      thread -> byHand(postgres, run + thread, batch),
                      thread -> sluice(postgres, run + "off-" + thread, batch, false),
                      thread -> sluice(postgres, run + "on-" + thread, batch, true)));
          String what = batch == 1 ? "append 1 event" : "append " + batch + " events";
          report.add(what, threads, "appends/s", rates[0], rates[1], goal(batch, threads, false));
          report.add(
              what + ", each with a message",
              threads,
              "appends/s",
              rates[0],
              rates[2],
              goal(batch, threads, true));
        }
      }
    }
  }

  private static double goal(int batch, int threads, boolean outbox) {
    return switch (threads) {
      case 1 -> outbox ? (batch == 1 ? 0.75 : 0.7) : 0.9;
      case 8 -> outbox ? (batch == 1 ? 0.9 : 1.0) : (batch == 1 ? 1.2 : 1.4);
      case 32 -> outbox ? (batch == 1 ? 1.8 : 1.1) : (batch == 1 ? 2.5 : 1.6);
      default -> 0;
    };
  }

  private static Rates.Step sluice(Postgres postgres, String run, int batch, boolean outbox) {
    EventStore store = postgres.storage().eventStore();
    long[] versions = new long[STREAMS];
    int[] next = {0};
    return () -> {
      int stream = next[0]++ % STREAMS;
      store.append(
          StreamId.of("account", run + "-" + stream),
          ExpectedVersion.exactly(versions[stream]),
          Samples.events(batch, outbox));
      versions[stream] += batch;
    };
  }

  private static Rates.Step byHand(Postgres postgres, String run, int batch) {
    StringBuilder sql =
        new StringBuilder(
            "insert into by_hand.event"
                + " (position, version, time_us, kind, event_id, stream, data, metadata) values ");
    for (int i = 0; i < batch; i++) {
      sql.append(i == 0 ? "" : ", ")
          .append("(nextval('by_hand.commit_number') << 16, ?, ?, 1, ?, ?, ?, ?)");
    }
    String insert = sql.toString();
    long[] versions = new long[STREAMS];
    int[] next = {0};
    return () -> {
      int stream = next[0]++ % STREAMS;
      insert(postgres, insert, "account-" + run + "-" + stream, versions[stream], batch);
      versions[stream] += batch;
    };
  }

  private static void insert(Postgres postgres, String sql, String stream, long version, int batch)
      throws SQLException {
    long micros = System.currentTimeMillis() * 1_000;
    try (Connection connection = postgres.connection();
        PreparedStatement insert = connection.prepareStatement(sql)) {
      int next = 1;
      for (int i = 1; i <= batch; i++) {
        insert.setLong(next++, version + i);
        insert.setLong(next++, micros);
        insert.setObject(next++, EventIds.next());
        insert.setString(next++, stream);
        insert.setBytes(next++, Samples.DATA.toBytes());
        insert.setBytes(next++, Samples.METADATA.toBytes());
      }
      if (insert.executeUpdate() != batch) {
        throw new IllegalStateException("the baseline did not insert what it should");
      }
    }
  }
}
