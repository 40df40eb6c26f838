package dev.sluice.adapter.jdbc;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;

/** The appends that are open now and so hold back readers, the oldest first. */
final class OpenAppends {

  private OpenAppends() {}

  static List<OpenAppend> list(Connection connection, Sql sql) throws SQLException {
    List<OpenAppend> open = new ArrayList<>();
    try (PreparedStatement select = connection.prepareStatement(sql.get("open-appends"));
        ResultSet rows = select.executeQuery()) {
      while (rows.next()) {
        open.add(
            new OpenAppend(
                rows.getLong(1),
                rows.getString(2),
                rows.getObject(3, OffsetDateTime.class).toInstant(),
                Duration.ofMillis(Math.max(0, rows.getLong(4))),
                rows.getString(5),
                rows.getString(6)));
      }
    }
    return open;
  }

  /**
   * One of them.
   *
   * @param above readers stop at this commit number
   * @param who the backend's pid and application, or the name of a prepared transaction
   */
  record OpenAppend(
      long above, String who, Instant since, Duration age, String state, String query) {

    String describe() {
      return who + ", " + state + ", last statement: " + query;
    }
  }
}
