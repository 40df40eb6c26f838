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
import org.jspecify.annotations.Nullable;

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
                age(rows),
                rows.getString(5),
                rows.getString(6)));
      }
    }
    return open;
  }

  private static @Nullable Duration age(ResultSet row) throws SQLException {
    long millis = row.getLong(4);
    return row.wasNull() ? null : Duration.ofMillis(Math.max(0, millis));
  }

  /**
   * One of them.
   *
   * @param above readers stop at this commit number
   * @param who the backend's pid and application, or the name of a prepared transaction
   * @param since when its transaction began, or now if that is unknown
   * @param age null if this user may not see it
   */
  record OpenAppend(
      long above, String who, Instant since, @Nullable Duration age, String state, String query) {

    String describe() {
      return who + ", " + state + ", last statement: " + query;
    }
  }
}
