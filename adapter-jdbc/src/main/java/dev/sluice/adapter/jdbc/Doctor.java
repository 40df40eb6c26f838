package dev.sluice.adapter.jdbc;

import dev.sluice.core.Payload;
import dev.sluice.core.SluiceException;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.ReaderTroubles;
import java.io.PrintStream;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * Answers "why does nothing move?" for a store: head and horizon, who holds readers back, whether
 * the sequence and the schema are sound, sizes, how far each reader and relay is, and at which
 * events they have stopped. Only reads; safe to run at any time, also where a storage refuses to
 * start.
 */
public final class Doctor {

  /** Counting more rows behind a reader would take long, and say no more. */
  private static final int MOST_BEHIND = 100_000;

  private final Database database;
  private final StringBuilder text = new StringBuilder();
  private final List<String> problems = new ArrayList<>();

  private Doctor(DataSource dataSource, String schema) {
    this.database = new Database(dataSource, schema);
  }

  /**
   * What the doctor found.
   *
   * @param problems what is wrong, one sentence each with the next step; empty if nothing is
   * @param text the whole finding, for people
   */
  public record Finding(List<String> problems, String text) {

    /** Copies the list. */
    public Finding {
      problems = List.copyOf(problems);
    }
  }

  /**
   * Examines a store.
   *
   * @param schema the schema that the storage was built with; {@code sluice} by default
   * @throws IllegalArgumentException if no storage can have a schema of this name
   * @throws dev.sluice.core.StoreUnavailableException if the server can't be reached, or refuses
   *     the login
   */
  public static Finding examine(DataSource dataSource, String schema) {
    // Refuses what it refuses for a storage.
    JdbcStorage.builder(dataSource).schema(schema);
    Doctor doctor = new Doctor(dataSource, schema);
    String doing = "examining the store";
    Database.translating(doing, () -> doctor.database.call(doing, doctor::examine));
    return new Finding(doctor.problems, doctor.text.toString());
  }

  /** Prints a finding: {@code Doctor <jdbc url> [schema]}; exits with 1 if there are problems. */
  public static void main(String[] args) {
    System.exit(run(args, System.out, System.err));
  }

  static int run(String[] args, PrintStream out, PrintStream err) {
    if (args.length < 1 || args.length > 2) {
      err.println("Usage: Doctor <jdbc:postgresql://host/database?user=…&password=…> [schema]");
      return 2;
    }
    PGSimpleDataSource source = new PGSimpleDataSource();
    try {
      source.setUrl(args[0]);
      Finding finding = examine(source, args.length == 2 ? args[1] : "sluice");
      out.print(finding.text());
      return finding.problems().isEmpty() ? 0 : 1;
    } catch (SluiceException | IllegalArgumentException e) {
      err.println(e.getMessage());
      return 2;
    }
  }

  private boolean examine(Connection connection) throws SQLException {
    check(() -> StartUpChecks.server(connection));
    int version = new Schema(database).version(connection);
    if (version == 0) {
      line("schema", database.schema() + ", no store");
      noStore(connection);
      return finish();
    }
    line("schema", "%s, version %d of %d".formatted(database.schema(), version, Schema.latest()));
    if (version != Schema.latest()) {
      problem(
          version < Schema.latest()
              ? "the schema is not up to date; start a JdbcStorage, or run what schemaSql() returns"
              : "the schema is newer than this adapter; use a newer adapter");
      return finish();
    }
    check(() -> StartUpChecks.sequence(connection, database.sql()));
    order(connection);
    // Closing the handle would close the connection, which is not ours.
    Handle handle = Jdbi.open(connection);
    readers(handle);
    leases(handle);
    tables(handle);
    return finish();
  }

  /** To start a storage would create one, beside the one that was meant. */
  private void noStore(Connection connection) throws SQLException {
    try (PreparedStatement select = connection.prepareStatement(database.sql().get("stores"))) {
      select.setString(1, database.schema());
      try (ResultSet row = select.executeQuery()) {
        row.next();
        String stores = row.getString(2);
        problem(
            (row.getBoolean(1)
                    ? "the schema " + database.schema() + " holds no store"
                    : "there is no schema " + database.schema() + " in this database")
                + (stores.isEmpty()
                    ? ", and there is no store in any other; start a JdbcStorage, or run what"
                        + " schemaSql() returns"
                    : "; those with a store are: " + stores));
      }
    }
  }

  private void order(Connection connection) throws SQLException {
    boolean known;
    try (PreparedStatement select =
            connection.prepareStatement(
                database
                    .sql()
                    .fill(
                        "select {last-number-if-allowed},"
                            + " (select coalesce(max(position), 0) from {schema}.event)"));
        ResultSet row = select.executeQuery()) {
      row.next();
      long drawn = row.getLong(1);
      known = !row.wasNull();
      line("last commit number drawn", known ? String.valueOf(drawn) : "unknown");
      line("last event stored", place(row.getLong(2)));
    }
    if (known) {
      check(() -> readable(connection));
    } else {
      line("last event readable", "unknown");
    }
    List<OpenAppends.OpenAppend> open = OpenAppends.list(connection, database.sql());
    if (open.isEmpty()) {
      line("held back by", "nobody: all that is stored can be read");
    }
    for (OpenAppends.OpenAppend append : open) {
      Duration age = append.age();
      line(
          "held back by",
          "%s, open for %s, %s; readers stop at commit %d; last statement: %s"
              .formatted(
                  append.who(),
                  age == null ? "an unknown time" : age.toMillis() + " ms",
                  append.state(),
                  append.above(),
                  append.query()));
      if (age == null) {
        problem(
            append.who()
                + " holds an append open, and this user may not see for how long; grant"
                + " pg_read_all_stats to it");
      } else if (age.toSeconds() >= 10) {
        problem(
            append.who()
                + " holds an append open for "
                + age.toSeconds()
                + " s, and readers see nothing that was appended since; commit or end it"
                + " (pg_terminate_backend, or rollback prepared)");
      }
    }
  }

  private void readable(Connection connection) throws SQLException {
    line(
        "last event readable",
        place(new Horizon(database, new EventKinds(database)).head(connection)));
  }

  private static String place(long position) {
    return "position %d (commit %d)".formatted(position, Horizon.commitNumber(position));
  }

  private void readers(Handle handle) {
    Set<String> held =
        new PostgresLeases(Database.joined(handle), database.sql())
            .list("").stream().map(Lease::name).collect(Collectors.toSet());
    List<Reader> found =
        handle
            .createQuery(database.sql().get("readers"))
            .bind("most", MOST_BEHIND)
            .map(
                (row, context) ->
                    new Reader(
                        row.getString("name"),
                        row.getLong("position"),
                        row.getLong("token"),
                        row.getBytes("state"),
                        row.getLong("behind"),
                        row.getLong("seconds")))
            .list();
    for (Reader reader : found) {
      line(
          "reader",
          "%s: %sat position %d, saved %d s ago, token %d"
              .formatted(
                  reader.name,
                  reader.behind < 0 ? "" : reader.lag() + " behind, ",
                  reader.position,
                  reader.seconds,
                  reader.token));
      ReaderTroubles.of(reader.name, Payload.of(reader.state)).forEach(this::problem);
      if (reader.behind > 0) {
        ReaderTroubles.abandoned(reader.name, reader.lag(), held).ifPresent(this::problem);
      }
    }
    if (found.stream().noneMatch(reader -> reader.name.startsWith("relay/"))) {
      line("reader", "no relay has a checkpoint, so the outbox is never pruned");
    }
  }

  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Reader(
      String name, long position, long token, byte[] state, long behind, long seconds) {

    String lag() {
      return behind + (behind == MOST_BEHIND ? " or more" : "");
    }
  }

  private void leases(Handle handle) {
    handle
        .createQuery(database.sql().get("holders"))
        .map(
            (row, context) -> {
              long seconds = row.getLong("seconds");
              boolean free = row.wasNull();
              return "%s: %s, token %d"
                  .formatted(
                      row.getString("name"),
                      free
                          ? "nobody, last " + row.getString("owner")
                          : row.getString("owner") + " for " + seconds + " s more",
                      row.getLong("token"));
            })
        .list()
        .forEach(lease -> line("lease", lease));
  }

  private void tables(Handle handle) {
    handle
        .createQuery(database.sql().get("sizes"))
        .bind("schema", database.schema())
        .map(
            (row, context) ->
                "%s: about %d rows, %s, indexes %s"
                    .formatted(
                        row.getString("name"),
                        row.getLong("rows"),
                        row.getString("data"),
                        row.getString("indexes")))
        .list()
        .forEach(table -> line("table", table));
    handle
        .createQuery(database.sql().get("broken-indexes"))
        .bind("schema", database.schema())
        .mapTo(String.class)
        .list()
        .forEach(index -> problem("the index " + index + " is not valid; reindex it"));
  }

  private void check(Check check) throws SQLException {
    try {
      check.run();
    } catch (SluiceException e) {
      problem(String.valueOf(e.getMessage()));
    }
  }

  private void problem(String problem) {
    problems.add(problem);
  }

  private void line(String what, String found) {
    text.append("%-26s".formatted(what)).append(found).append('\n');
  }

  private boolean finish() {
    if (problems.isEmpty()) {
      line("problems", "none");
    }
    problems.forEach(problem -> line("PROBLEM", problem));
    return problems.isEmpty();
  }

  private interface Check {
    void run() throws SQLException;
  }
}
