package dev.sluice.adapter.jdbc;

import dev.sluice.core.StoreRefusedException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Refuses servers and schemas on which a guarantee would not hold. */
final class StartUpChecks {

  private static final Logger LOG = LoggerFactory.getLogger(StartUpChecks.class);

  private static final int OLDEST = 14;
  private static final int NEWEST = 18;

  private StartUpChecks() {}

  /** Before the schema is touched. */
  static void server(Connection connection) throws SQLException {
    if (!connection.isWrapperFor(org.postgresql.PGConnection.class)) {
      throw new StoreRefusedException(
          "the data source gives connections of "
              + connection.getMetaData().getDriverName()
              + "; this adapter needs the PostgreSQL JDBC driver (jdbc:postgresql://…)");
    }
    try (PreparedStatement select =
            connection.prepareStatement(
                """
                select current_setting('server_version_num')::integer / 10000,
                  current_setting('server_version'), pg_is_in_recovery(),
                  current_setting('transaction_read_only') = 'on',
                  current_setting('transaction_isolation'),
                  current_setting('server_encoding'), current_setting('fsync') = 'on',
                  current_setting('synchronous_commit')
                """);
        ResultSet row = select.executeQuery()) {
      row.next();
      if (row.getInt(1) < OLDEST) {
        refuse(
            "PostgreSQL " + row.getString(2) + " is too old",
            "use PostgreSQL " + OLDEST + " or newer");
      }
      if (row.getInt(1) > NEWEST) {
        LOG.warn(
            "PostgreSQL {} is newer than those that this adapter was tested with ({} to {})",
            row.getString(2),
            OLDEST,
            NEWEST);
      }
      if (row.getBoolean(3)) {
        refuse(
            "this server is a standby, where nobody can append and no lock of an append is seen",
            "point the data source at the primary (targetServerType=primary)");
      }
      if (row.getBoolean(4)) {
        refuse(
            "transactions of this data source only read",
            "switch off default_transaction_read_only, or the pool's readOnly");
      }
      if (!row.getString(5).equals("read committed")) {
        refuse(
            "transactions of this data source run at "
                + row.getString(5)
                + ", where a reader can miss events",
            "set default_transaction_isolation, or the pool's, to read committed");
      }
      if (!row.getString(6).equals("UTF8")) {
        refuse(
            "this database's encoding is " + row.getString(6) + ", which can't hold every text",
            "create the database with encoding UTF8");
      }
      if (!row.getBoolean(7)) {
        LOG.warn("fsync is off: a crash of this server can lose or destroy what it acknowledged");
      }
      if (row.getString(8).equals("off")) {
        LOG.warn(
            "synchronous_commit is off: a crash of this server can lose appends that it"
                + " acknowledged, and readers may have seen them");
      }
    }
  }

  /** Of what is there of the schema; what is still to be created will be the user's own. */
  static void rights(Connection connection, Sql sql, String schema) throws SQLException {
    StringBuilder grants = new StringBuilder();
    try (PreparedStatement select = connection.prepareStatement(sql.get("missing-grants"))) {
      select.setString(1, schema);
      select.setString(2, schema);
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          grants.append("\n  ").append(rows.getString(1)).append(';');
        }
      }
    }
    if (!grants.isEmpty()) {
      refuse(
          "the user of this data source may not do all that a storage does",
          "take the user who owns the schema, or let that one run:" + grants);
    }
  }

  /** Once the schema is there. */
  static void sequence(Connection connection, Sql sql) throws SQLException {
    try (PreparedStatement select = connection.prepareStatement(sql.get("sequence-check"));
        ResultSet row = select.executeQuery()) {
      if (!row.next()) {
        refuse(
            "the sequence commit_number is missing",
            "restore it, or drop the schema to start anew");
      }
      if (row.getLong(1) != 1 || row.getBoolean(2) || row.getLong(3) != 1) {
        refuse(
            "the sequence commit_number has cache "
                + row.getLong(1)
                + ", increment "
                + row.getLong(3)
                + (row.getBoolean(2) ? ", and cycles" : ""),
            "alter sequence "
                + sql.get("schema")
                + ".commit_number cache 1 increment 1 no cycle; readers would miss events");
      }
      if (row.getBoolean(6)) {
        refuse(
            "the sequence commit_number belongs to a column, or gives a column its default",
            "run: alter sequence "
                + sql.get("schema")
                + ".commit_number owned by none, and take it out of the default; what draws from"
                + " it makes holes, and what owns it takes it along when it is dropped");
      }
      long drawn = row.getLong(4);
      if (row.wasNull()) {
        if (!row.getBoolean(7)) {
          refuse(
              "the sequence commit_number may not be read by this user",
              "grant usage, select on sequence " + sql.get("schema") + ".commit_number to it");
        }
        refuse(
            "the sequence commit_number was never drawn from",
            "run: select nextval('" + sql.get("schema") + ".commit_number')");
      }
      long needed = row.getLong(5);
      if (drawn < needed) {
        refuse(
            "the sequence commit_number is at "
                + drawn
                + ", behind the stored commit "
                + needed
                + ", perhaps after a partial restore",
            "stop all services and run: select setval('"
                + sql.get("schema")
                + ".commit_number', "
                + needed
                + ")");
      }
    }
  }

  private static void refuse(String what, String next) {
    throw new StoreRefusedException(what + "; " + next);
  }
}
