package dev.sluice.adapter.jdbc;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The event table in order of positions, up to the horizon. */
final class PostgresGlobalLog implements GlobalLog {

  private static final String UNTIL = "until";

  /** A follower of the end finds less than so many events, whoever they are for. */
  private static final int NEXT = 200;

  /**
   * Who has met a hole asks for the horizon at once so many times: where one append is held open,
   * or fails, the next one often does too, and finding the hole first costs a round trip more.
   */
  private static final int READS_AFTER_HOLE = 8;

  private final Database database;
  private final EventKinds kinds;
  private final Horizon horizon;
  private final WakeUps wakeUps;
  private final String next;
  private final String nextFinal;

  /** A rough count; that two readers may take one off it at once does no harm. */
  private volatile int readsAfterHole;

  PostgresGlobalLog(Database database, EventKinds kinds, Horizon horizon, WakeUps wakeUps) {
    this.database = database;
    this.kinds = kinds;
    this.horizon = horizon;
    this.wakeUps = wakeUps;
    this.next = database.sql().get("log-next");
    this.nextFinal = database.sql().get("log", untilHorizon());
  }

  @Override
  public LogPage read(Position after, EventFilter filter, int limit) {
    GlobalLog.checkedLimit(limit);
    return database.call("reading the log", connection -> read(connection, after, filter, limit));
  }

  private LogPage read(Connection connection, Position after, EventFilter filter, int limit)
      throws SQLException {
    long known = horizon.known();
    if (after.value() == known && known > 0) {
      @Nullable LogPage page = readNext(connection, after, filter, limit);
      if (page != null) {
        return page;
      }
    } else if (after.value() < known) {
      // All of it is final, so that no question about the horizon is needed for a full page.
      LogPage page = readUpTo(connection, after, filter, limit, known);
      if (page.more()) {
        return page;
      }
    }
    while (true) {
      int kindCount = kinds.known().kinds().size();
      LogPage page = readUpTo(connection, after, filter, limit, null);
      // An event of a kind that was new would be missing.
      if (filter.equals(EventFilter.ALL) || kindCount == kinds.known().kinds().size()) {
        return page;
      }
    }
  }

  /**
   * What has come right behind the head, in one statement where that will do.
   *
   * @return null if there is more than a little to read
   */
  private @Nullable LogPage readNext(
      Connection connection, Position head, EventFilter filter, int limit) throws SQLException {
    int most = Math.min(NEXT, limit + 1);
    Horizon.Binder binder =
        (statement, first) -> {
          statement.setLong(first, head.value());
          statement.setInt(first + 1, most);
        };
    @Nullable List<RecordedEvent> events = null;
    int afterHole = readsAfterHole;
    if (afterHole > 0) {
      readsAfterHole = afterHole - 1;
    } else {
      events = horizon.justRead(connection, next, binder, rows -> events(rows, connection));
      if (hasHole(head, events)) {
        readsAfterHole = READS_AFTER_HOLE;
        events = null;
      } else if (events.isEmpty() && horizon.isDue()) {
        events = null;
      }
    }
    if (events == null) {
      events = horizon.ask(connection, nextFinal, binder, rows -> events(rows, connection));
    }
    if (events.size() == most) {
      return null;
    }
    List<RecordedEvent> wanted = events.stream().filter(filter::matches).toList();
    Position reached = events.isEmpty() ? head : events.getLast().position();
    horizon.raise(reached.value());
    return new LogPage(wanted, reached, false);
  }

  /**
   * Whether the numbers of the commits have a hole, left by an append that is open or has failed.
   * Where they have none, nobody needs to ask for the horizon, which costs several times as much;
   * the reasoning is in {@code sql/append.sql}.
   */
  private static boolean hasHole(Position head, List<RecordedEvent> events) {
    Position reached = head;
    for (RecordedEvent event : events) {
      if (commitNumber(event.position()) > commitNumber(reached) + 1) {
        return true;
      }
      reached = event.position();
    }
    return false;
  }

  private static long commitNumber(Position position) {
    return Horizon.commitNumber(position.value());
  }

  /** A page up to a known horizon, or else up to the one of now. */
  private LogPage readUpTo(
      Connection connection, Position after, EventFilter filter, int limit, @Nullable Long known)
      throws SQLException {
    @Nullable List<Integer> wanted = kindsOf(filter);
    Map<String, String> until = known == null ? untilHorizon() : Map.of(UNTIL, "?");
    String query;
    if (wanted == null) {
      query = database.sql().get("log", until);
    } else if (wanted.isEmpty()) {
      query = database.sql().get("log-none", until);
    } else {
      String branch = database.sql().get("log-of-kind", until);
      query =
          wanted.size() == 1
              ? branch
              : database
                  .sql()
                  .get(
                      "log-merged",
                      Map.of("branches", Sql.repeat(branch, wanted.size(), "\nunion all\n")));
    }
    Horizon.Binder binder =
        (statement, first) -> bind(statement, first, after, wanted, limit, known);
    if (known != null) {
      List<RecordedEvent> events =
          horizon.justRead(connection, query, binder, rows -> events(rows, connection));
      return page(after, events, limit, after);
    }
    return horizon.askWithHead(
        connection,
        query,
        binder,
        (rows, head) -> page(after, events(rows, connection), limit, new Position(head)));
  }

  private static LogPage page(
      Position after, List<RecordedEvent> events, int limit, Position head) {
    boolean more = events.size() == limit;
    Position next = events.isEmpty() ? after : events.getLast().position();
    return new LogPage(events, more ? next : Position.max(next, head), more);
  }

  private List<RecordedEvent> events(ResultSet rows, Connection connection) throws SQLException {
    return EventRows.read(rows, kinds, connection, null);
  }

  private static void bind(
      PreparedStatement statement,
      int first,
      Position after,
      @Nullable List<Integer> wanted,
      int limit,
      @Nullable Long known)
      throws SQLException {
    int next = first;
    int branches = wanted == null ? 1 : Math.max(1, wanted.size());
    for (int i = 0; i < branches; i++) {
      if (wanted != null && !wanted.isEmpty()) {
        statement.setInt(next++, wanted.get(i));
      }
      statement.setLong(next++, after.value());
      if (known != null) {
        statement.setLong(next++, known);
      }
      statement.setInt(next++, limit);
    }
    if (branches > 1) {
      statement.setInt(next, limit);
    }
  }

  /** The numbers of the kinds that a filter lets through; null for all. */
  private @Nullable List<Integer> kindsOf(EventFilter filter) {
    if (filter.equals(EventFilter.ALL)) {
      return null;
    }
    return kinds.known().kinds().entrySet().stream()
        .filter(entry -> filter.matches(entry.getValue().category(), entry.getValue().type()))
        .map(Map.Entry::getKey)
        .sorted()
        .toList();
  }

  private Map<String, String> untilHorizon() {
    return Map.of(UNTIL, database.sql().get("horizon-position"));
  }

  @Override
  public LogStatus status() {
    return database.call(
        "asking for the state of the log",
        connection -> {
          Optional<LogStatus.OpenAppend> oldest =
              OpenAppends.list(connection, database.sql()).stream()
                  .findFirst()
                  .map(open -> new LogStatus.OpenAppend(open.describe(), open.since()));
          return new LogStatus(new Position(horizon.head(connection)), oldest);
        });
  }

  @Override
  public long count(Position after, EventFilter filter) {
    return database.call(
        "counting events",
        connection -> {
          // Learns all kinds up to the head first.
          long head = horizon.head(connection);
          @Nullable List<Integer> wanted = kindsOf(filter);
          String query =
              database
                  .sql()
                  .get(wanted == null ? "log-count" : "log-count-of-kinds", Map.of(UNTIL, "?"));
          return horizon.justRead(
              connection,
              query,
              (statement, first) -> {
                int next = first;
                if (wanted != null) {
                  statement.setArray(next++, connection.createArrayOf("integer", wanted.toArray()));
                }
                statement.setLong(next++, after.value());
                statement.setLong(next, head);
              },
              Horizon::number);
        });
  }

  @Override
  public Registration onAppend(Runnable hint) {
    return wakeUps.register(hint);
  }
}
