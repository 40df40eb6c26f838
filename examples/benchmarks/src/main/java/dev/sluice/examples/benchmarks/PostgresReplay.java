package dev.sluice.examples.benchmarks;

import dev.sluice.adapter.jdbc.JdbcProjections;
import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.Subscriptions;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.jdbi.v3.core.Handle;

/**
 * How fast a new subscription gets through what is stored: with a handler that does nothing,
 * against the adapter's own read of the whole log; with four partitions, against one; and with a
 * view that is changed in one transaction with the checkpoint, against the same batches written by
 * hand.
 */
final class PostgresReplay implements Benchmark {

  private static final int STREAMS = 400;
  private static final int EACH = 1_000;
  private static final int APPEND = 100;
  private static final int PAGE = 4_000;
  private static final int VIEW_EVENTS = 30_000;
  private static final int BATCH = 500;
  private static final int TURNS = 5;
  private static final int VIEW_TURNS = 3;
  private static final Duration BOUND = Duration.ofMinutes(2);

  private static final String CHANGE =
      " (account, cents, events) values (?, ?, 1) on conflict (account) do update set cents ="
          + " v.cents + excluded.cents, events = v.events + 1";

  private final AtomicInteger names = new AtomicInteger();

  @Override
  public String name() {
    return "replay";
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
    try (Postgres postgres = Postgres.start(8, report)) {
      // One append of each stream after the other, so that each page of the log has many streams.
      for (int i = 0; i < EACH / APPEND; i++) {
        for (int stream = 0; stream < STREAMS; stream++) {
          postgres
              .storage()
              .eventStore()
              .append(
                  StreamId.of("account", "" + stream),
                  ExpectedVersion.exactly((long) i * APPEND),
                  Samples.events(APPEND, false));
        }
      }
      postgres.execute("vacuum (analyze) sluice.event");
      for (String table : List.of("sluice", "by_hand")) {
        postgres.execute(
            "create table public.view_"
                + table
                + " (account text primary key, cents bigint not null, events bigint not null)");
      }
      Position end = postgres.storage().globalLog().status().head();
      double[] replay =
          medians(
              TURNS,
              () -> readLog(postgres),
              () -> replay(postgres, 1, end),
              () -> replay(postgres, 4, end));
      report.add("handler that does nothing", 1, "events/s", replay[0], replay[1], 0.8);
      report.add("the same, 4 partitions against one", 4, "events/s", replay[1], replay[2], 1);
      Position middle = positionOf(postgres, VIEW_EVENTS);
      double[] view =
          medians(VIEW_TURNS, () -> viewByHand(postgres), () -> viewBySluice(postgres, middle));
      report.add("view and checkpoint together", 1, "events/s", view[0], view[1], 0.7);
      report.note("by hand: the adapter's read of the whole log, in pages of " + PAGE);
      report.note("by hand, 4 partitions: Sluice with one partition");
      report.note(
          "by hand, view: a SELECT, and JDBC transactions of %,d events with the same statement"
              .formatted(BATCH));
      report.note("-Dthreads and -Dseconds have no effect: all of it is read each time");
    }
  }

  private interface Replay {
    int run() throws SQLException;
  }

  /** They take turns; the first turn warms up. */
  private static double[] medians(int turns, Replay... works) throws SQLException {
    double[][] rates = new double[works.length][turns];
    for (int turn = -1; turn < turns; turn++) {
      for (int work = 0; work < works.length; work++) {
        long begin = System.nanoTime();
        int events = works[work].run();
        if (turn >= 0) {
          rates[work][turn] = events / ((System.nanoTime() - begin) / 1e9);
        }
      }
    }
    return Arrays.stream(rates)
        .peek(Arrays::sort)
        .mapToDouble(sorted -> sorted[turns / 2])
        .toArray();
  }

  private static int readLog(Postgres postgres) {
    int events = 0;
    Position after = Position.START;
    LogPage page;
    do {
      page = postgres.storage().globalLog().read(after, EventFilter.ALL, PAGE);
      events += page.events().size();
      after = page.next();
    } while (page.more());
    return checked(events, STREAMS * EACH);
  }

  private int replay(Postgres postgres, int partitions, Position end) {
    LongAdder seen = new LongAdder();
    String name = "replay-" + names.incrementAndGet();
    try (Subscriptions here = Subscriptions.of(postgres.storage())) {
      here.start(
          Subscription.named(name).partitions(partitions).handler(event -> seen.increment()));
      await(here, name, end);
    }
    return checked(seen.intValue(), STREAMS * EACH);
  }

  private int viewBySluice(Postgres postgres, Position end) throws SQLException {
    postgres.execute("truncate public.view_sluice");
    String name = "view-" + names.incrementAndGet();
    LongAdder seen = new LongAdder();
    Projection<Handle> projection =
        Projection.<Handle>named(name, Samples.CODEC)
            .on(
                Samples.MoneyDeposited.class,
                (handle, event, recorded) -> {
                  if (!recorded.position().isAfter(end)) {
                    seen.increment();
                    handle.execute(
                        "insert into public.view_sluice as v" + CHANGE,
                        recorded.stream().id(),
                        event.cents());
                  }
                })
            .build();
    try (Subscriptions here = Subscriptions.of(postgres.storage())) {
      here.start(
          projection
              .subscription()
              .batchSize(BATCH)
              .processor(JdbcProjections.transactional(postgres.storage(), projection)));
      await(here, name, end);
    }
    return checked(seen.intValue(), VIEW_EVENTS);
  }

  private static void await(Subscriptions here, String name, Position end) {
    if (!here.await(name, end, BOUND)) {
      throw new IllegalStateException(name + " did not get through: " + here.status());
    }
  }

  private static int viewByHand(Postgres postgres) throws SQLException {
    postgres.execute("truncate public.view_by_hand");
    int done = 0;
    try (Connection connection = postgres.connection()) {
      connection.setAutoCommit(false);
      Position after = Position.START;
      while (done < VIEW_EVENTS) {
        List<RecordedEvent> events =
            postgres.storage().globalLog().read(after, EventFilter.ALL, BATCH).events();
        try (PreparedStatement change =
            connection.prepareStatement("insert into public.view_by_hand as v" + CHANGE)) {
          for (RecordedEvent recorded : events) {
            var event = (Samples.MoneyDeposited) Samples.CODEC.decode(recorded);
            change.setString(1, recorded.stream().id());
            change.setLong(2, event.cents());
            change.executeUpdate();
          }
        }
        after = events.getLast().position();
        done += events.size();
        try (PreparedStatement save =
            connection.prepareStatement(
                "insert into sluice.checkpoint (name, position, state, token, revision, saved_at)"
                    + " values ('by-hand', ?, '', 0, 1, now()) on conflict (name) do update set"
                    + " position = excluded.position, saved_at = excluded.saved_at")) {
          save.setLong(1, after.value());
          save.executeUpdate();
        }
        connection.commit();
      }
      connection.setAutoCommit(true);
    }
    return checked(done, VIEW_EVENTS);
  }

  private static Position positionOf(Postgres postgres, int event) {
    Position after = Position.START;
    for (int left = event; left > 0; left -= BATCH) {
      after = postgres.storage().globalLog().read(after, EventFilter.ALL, BATCH).next();
    }
    return after;
  }

  private static int checked(int events, int expected) {
    if (events != expected) {
      throw new IllegalStateException("got " + events + " events instead of " + expected);
    }
    return events;
  }
}
