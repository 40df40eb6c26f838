package dev.sluice.adapter.jdbc;

import dev.sluice.core.StoreRefusedException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The schema's versions: one named script each, only ever forwards, applied by whichever instance
 * comes first.
 */
final class Schema {

  private static final Logger LOG = LoggerFactory.getLogger(Schema.class);

  /** Never change a script that was released; add one. */
  private static final List<String> MIGRATIONS =
      List.of(
          "commit-number",
          "event-kind",
          "event",
          "outbox",
          "checkpoint",
          "lease",
          "snapshot",
          "event-text");

  private final Database database;

  Schema(Database database) {
    this.database = database;
  }

  static int latest() {
    return MIGRATIONS.size();
  }

  /** What there is to be done, as one script that a person can run; empty if nothing is. */
  String pending() {
    return database.call(
        "reading the schema version",
        connection -> {
          String script = script(connection);
          return script.isEmpty() ? "" : "begin;\n\n" + lock() + ";\n\n" + script + "commit;\n";
        });
  }

  /** Does it, in one transaction, while no other instance does. */
  void migrate() {
    database.call(
        "creating or upgrading schema " + database.schema(),
        connection -> {
          if (version(connection) < latest()) {
            migrate(connection);
          }
          return check(version(connection));
        });
  }

  /** Refuses to go on unless the schema is just what this version of the adapter knows. */
  void check() {
    database.call("reading the schema version", connection -> check(version(connection)));
  }

  private int check(int version) {
    if (version > latest()) {
      throw new StoreRefusedException(
          "the schema "
              + database.schema()
              + " has version "
              + version
              + ", this adapter knows versions up to "
              + latest()
              + "; use the adapter version that upgraded it, or a newer one");
    }
    if (version < latest()) {
      throw new StoreRefusedException(
          "the schema "
              + database.schema()
              + " has version "
              + version
              + " and must have "
              + latest()
              + "; let somebody run the SQL that JdbcStorage.Builder.schemaSql() returns, or leave"
              + " createSchema on");
    }
    return version;
  }

  private void migrate(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    try {
      try (Statement statement = connection.createStatement()) {
        statement.execute(lock());
        int version = version(connection);
        if (version < latest()) {
          statement.execute(script(connection));
          LOG.info("Schema {}: version {} is now {}", database.schema(), version, latest());
        }
      }
      connection.commit();
      connection.setAutoCommit(true);
    } catch (SQLException | RuntimeException e) {
      try {
        connection.rollback();
        connection.setAutoCommit(true);
      } catch (SQLException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private String lock() {
    return "select pg_advisory_xact_lock(hashtextextended('sluice schema "
        + database.schema()
        + "', 0))";
  }

  private String script(Connection connection) throws SQLException {
    int version = version(connection);
    if (version >= latest()) {
      return "";
    }
    StringBuilder script = new StringBuilder();
    if (!exists(connection)) {
      // Not "if not exists": that asks for the right to create one even if it is there.
      script.append("create schema {schema};\n\n");
    }
    if (version == 0) {
      script.append(
          """
          create table {schema}.schema_version (
            version    integer not null primary key,
            name       text not null,
            applied_at timestamptz not null default clock_timestamp()
          );

          """);
    }
    for (int next = version + 1; next <= latest(); next++) {
      String name = MIGRATIONS.get(next - 1);
      script
          .append("-- %d: %s%n".formatted(next, name))
          .append(Sql.resource("migrations/%04d-%s.sql".formatted(next, name)))
          .append(
              "%ninsert into {schema}.schema_version (version, name) values (%d, '%s');%n%n"
                  .formatted(next, name));
    }
    return database.sql().fill(script.toString());
  }

  private boolean exists(Connection connection) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("select exists (select from pg_namespace where nspname = ?)")) {
      select.setString(1, database.schema());
      try (ResultSet row = select.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  int version(Connection connection) throws SQLException {
    String table = Sql.quoted(database.schema()) + ".schema_version";
    // Not to_regclass: it may answer from a cache that has not heard of another instance's commit.
    try (PreparedStatement exists =
        connection.prepareStatement(
            "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                + " where n.nspname = ? and c.relname = 'schema_version')")) {
      exists.setString(1, database.schema());
      try (ResultSet row = exists.executeQuery()) {
        row.next();
        if (!row.getBoolean(1)) {
          return 0;
        }
      }
    }
    try (PreparedStatement select =
            connection.prepareStatement("select coalesce(max(version), 0) from " + table);
        ResultSet row = select.executeQuery()) {
      row.next();
      return row.getInt(1);
    }
  }
}
