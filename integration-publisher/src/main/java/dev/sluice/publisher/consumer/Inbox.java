package dev.sluice.publisher.consumer;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.regex.Pattern;

/**
 * Remembers in the consumer's own database which messages took effect, so that a message that
 * arrives again does nothing. Arrivals are repeated by every consumer whose offsets are committed
 * apart from its database, whatever the sender guarantees.
 *
 * <p>Works on PostgreSQL. Another database needs {@code INSERT … ON CONFLICT DO NOTHING}, and for
 * {@link #forget} the type {@code INTERVAL} as PostgreSQL writes it ({@code CAST('60 seconds' AS
 * INTERVAL)}); elsewhere delete old rows by {@code received_at} yourself. Safe for use by any
 * number of threads; each call uses the connection that it is given.
 */
public final class Inbox {
  private static final Pattern TABLE = Pattern.compile("[A-Za-z_][A-Za-z0-9_.]{0,100}");

  private final String table;

  /**
   * An inbox in a table.
   *
   * @param table its name, perhaps with a schema; different consumers in one database need
   *     different tables
   */
  public Inbox(String table) {
    if (!TABLE.matcher(table).matches()) {
      throw new IllegalArgumentException("'" + table + "' is not a plain table name");
    }
    this.table = table;
  }

  /** The statement that makes the table, for those who apply it by themselves. */
  public String ddl() {
    return "CREATE TABLE IF NOT EXISTS "
        + table
        + " (source TEXT NOT NULL, id TEXT NOT NULL,"
        + " received_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,"
        + " PRIMARY KEY (source, id))";
  }

  /** Makes the table if it is missing. */
  public void create(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(ddl());
    }
  }

  /**
   * Notes a message, as a part of the transaction in which it takes effect. Where another
   * transaction is noting the same message, waits for its end.
   *
   * @param connection with auto-commit off
   * @return whether it is new; if not, do nothing and go on
   * @throws IllegalStateException if auto-commit is on: the note would stay though the effect is
   *     rolled back, and the message would be lost
   */
  public boolean isNew(Connection connection, InboundMessage message) throws SQLException {
    if (connection.getAutoCommit()) {
      throw new IllegalStateException(
          "turn auto-commit off, and commit the note together with the message's effect");
    }
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO " + table + " (source, id) VALUES (?, ?) ON CONFLICT DO NOTHING")) {
      insert.setString(1, message.source());
      insert.setString(2, message.id());
      return insert.executeUpdate() == 1;
    }
  }

  /**
   * Forgets messages that arrived long ago.
   *
   * @param age much longer than any message can be repeated after, such as the topic's retention
   * @return how many were forgotten
   */
  public int forget(Connection connection, Duration age) throws SQLException {
    try (PreparedStatement delete =
        connection.prepareStatement(
            "DELETE FROM "
                + table
                + " WHERE received_at < CURRENT_TIMESTAMP - CAST(? AS INTERVAL)")) {
      delete.setString(1, age.toSeconds() + " seconds");
      return delete.executeUpdate();
    }
  }
}
