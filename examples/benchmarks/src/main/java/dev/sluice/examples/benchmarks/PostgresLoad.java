package dev.sluice.examples.benchmarks;

import dev.sluice.core.Payload;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Loads a stream into typed objects, against a plain SELECT with the same decoding. */
final class PostgresLoad implements Benchmark {

  private static final int STREAMS = 50;

  @Override
  public String name() {
    return "load";
  }

  @Override
  public String store() {
    return "postgres";
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    int most = settings.mostThreads();
    try (Postgres postgres = Postgres.start(most, report)) {
      for (int length : new int[] {100, 1_000}) {
        for (int stream = 0; stream < STREAMS; stream++) {
          postgres
              .storage()
              .eventStore()
              .append(
                  stream(length, stream),
                  ExpectedVersion.noStream(),
                  Samples.events(length, false));
        }
        postgres.execute("vacuum (analyze) sluice.event");
        for (int threads : settings.threads()) {
          double[] rates =
              Rates.perSecond(
                  threads,
                  settings.seconds(),
                  List.of(
                      thread -> byHand(postgres, length, thread),
                      thread -> sluice(postgres, length, thread)));
          report.add("load " + length + " events", threads, "loads/s", rates[0], rates[1], 0.9);
        }
      }
    }
  }

  private static StreamId stream(int length, int number) {
    return StreamId.of("account", length + "-" + number);
  }

  private static Rates.Step sluice(Postgres postgres, int length, int thread) {
    EventStore store = postgres.storage().eventStore();
    int[] next = {thread};
    return () -> {
      List<DomainEvent> events = new ArrayList<>();
      store
          .readFrom(stream(length, next[0]++ % STREAMS), 1)
          .forEach(recorded -> events.add(Samples.CODEC.decode(recorded)));
      check(events, length);
    };
  }

  private static Rates.Step byHand(Postgres postgres, int length, int thread) {
    int[] next = {thread};
    return () -> {
      List<DomainEvent> events = new ArrayList<>();
      select(postgres, stream(length, next[0]++ % STREAMS).toString(), events);
      check(events, length);
    };
  }

  private static void select(Postgres postgres, String stream, List<DomainEvent> events)
      throws SQLException {
    try (Connection connection = postgres.connection();
        PreparedStatement select =
            connection.prepareStatement(
                "select e.version, e.position, e.event_id, e.time_us, e.data, e.metadata"
                    + " from sluice.event e where e.stream = ? order by e.version")) {
      select.setString(1, stream);
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          events.add(
              Samples.CODEC
                  .serializer()
                  .read(Payload.of(rows.getBytes(5)), Samples.MoneyDeposited.class));
        }
      }
    }
  }

  private static void check(List<DomainEvent> events, int length) {
    if (events.size() != length) {
      throw new IllegalStateException("loaded " + events.size() + " events instead of " + length);
    }
  }
}
