package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.testservers.PostgresServer;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The plans that the server keeps for the prepared statements, on tables that are not small. */
class PlansTest {

  private static final Pattern PARAMETER = Pattern.compile("\\?");

  private final Sql sql = new Sql("sluice");
  private HikariDataSource pool;

  @BeforeEach
  void fill() throws SQLException {
    pool = PostgresFixture.pool(PostgresServer.shared().newDatabase(), 4);
    try (JdbcStorage storage = JdbcStorage.create(pool);
        Connection connection = pool.getConnection();
        Statement statement = connection.createStatement()) {
      storage
          .eventStore()
          .append(
              StreamId.of("account", "42"),
              ExpectedVersion.any(),
              List.of(Events.event("a", 0), Events.event("b", 0)));
      statement.execute(
          """
          insert into sluice.event
          select (i + 1000)::bigint << 16, 1, 0, 1 + i % 2, gen_random_uuid(), 'account-x' || i, '', ''
          from generate_series(1, 50000) i;
          insert into sluice.outbox
          select (i + 1000)::bigint << 16, 0, gen_random_uuid(), 't', 'k', 's', null, null, ''
          from generate_series(1, 50000) i;
          select setval('sluice.commit_number', 60000);
          analyze
          """);
    }
  }

  @AfterEach
  void close() {
    pool.close();
  }

  @Test
  void largeReadsUseIndexesAndNeverSort() throws Exception {
    List<String> queries = new ArrayList<>();
    for (String name :
        List.of(
            "log-next", "stream-forwards", "stream-backwards", "stream-version", "stored-ids")) {
      queries.add(sql.get(name));
    }
    queries.add(sql.get("outbox-prune"));
    // Up to the horizon that is asked for in the same round trip, or up to the head that is known.
    for (String end : List.of(sql.get("horizon-position"), "?")) {
      Map<String, String> until = Map.of("until", end);
      String branch = sql.get("log-of-kind", until);
      queries.add(branch);
      queries.add(sql.get("log-merged", Map.of("branches", branch + " union all " + branch)));
      for (String name :
          List.of(
              "log",
              "log-head",
              "log-count",
              "log-count-of-kinds",
              "outbox",
              "outbox-head",
              "outbox-count")) {
        queries.add(sql.get(name, until));
      }
    }
    for (String query : queries) {
      assertThat(plan(query))
          .as(query)
          .contains("Index")
          .doesNotContainPattern("Seq Scan on (event|outbox)\\b")
          .doesNotContainPattern("Sort +\\(");
    }
  }

  @Test
  void appendsFindTheVersionInAnIndex() throws Exception {
    for (String draw : List.of("draw", "draw-alone", "draw-joined")) {
      for (String append : List.of("one", "group-of-ones", "batch", "group")) {
        boolean ones = append.equals("one") || append.equals("group-of-ones");
        String messages = ones ? "" : sql.part(append + "-messages");
        String query =
            sql.get(
                append,
                Map.of("draw", sql.part(draw), "lock-timeout", "100ms", "messages", messages));
        assertThat(plan(query))
            .as(query)
            .contains("Index Only Scan Backward using event_by_stream")
            .containsPattern("Index Cond: .*version >= ")
            .doesNotContainPattern("Seq Scan on (event|outbox)\\b");
      }
    }
  }

  /** The proof in {@code sql/append.sql} leans on it. */
  @Test
  void theHorizonReadsTheLocksBehindTheSequence() throws Exception {
    assertThat(plan(sql.get("horizon").replace(";", "")))
        .containsPattern(
            "Nested Loop.*\n +-> +(Result|Subquery Scan on drawn) .*\n +-> +Aggregate ")
        .containsSubsequence("Aggregate", "Function Scan on pg_lock_status");
  }

  /** As for a statement that was prepared a while ago: for any values of its parameters. */
  private String plan(String query) throws SQLException {
    StringBuilder numbered = new StringBuilder();
    Matcher parameters = PARAMETER.matcher(query);
    int count = 0;
    while (parameters.find()) {
      count++;
      parameters.appendReplacement(numbered, "\\$" + count);
    }
    parameters.appendTail(numbered);
    String values = String.join(", ", Collections.nCopies(count, "null"));
    StringBuilder plan = new StringBuilder();
    try (Connection connection = pool.getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute("set plan_cache_mode = force_generic_plan");
      statement.execute("set sluice.horizon = " + (60_000L << 16));
      statement.execute("prepare asked as " + numbered);
      try (ResultSet rows =
          statement.executeQuery(
              "explain execute asked" + (count == 0 ? "" : "(" + values + ")"))) {
        while (rows.next()) {
          plan.append(rows.getString(1)).append('\n');
        }
      }
      statement.execute("deallocate asked; reset plan_cache_mode; reset sluice.horizon");
    }
    return plan.toString();
  }
}
