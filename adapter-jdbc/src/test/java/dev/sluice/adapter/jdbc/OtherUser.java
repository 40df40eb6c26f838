package dev.sluice.adapter.jdbc;

import dev.sluice.core.event.EventIds;
import dev.sluice.testservers.PostgresDatabase;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.DataSource;

/** A user of a database who owns nothing in it, and may do nothing yet. */
record OtherUser(PostgresDatabase database, String name) implements AutoCloseable {

  static OtherUser of(PostgresDatabase database) throws SQLException {
    OtherUser user = new OtherUser(database, "user_" + EventIds.next().toString().replace("-", ""));
    user.execute("create role " + user.name + " login password 'secret'");
    return user;
  }

  DataSource dataSource() {
    return new PostgresDatabase(database.url(), name, "secret").dataSource();
  }

  @Override
  public void close() throws SQLException {
    execute("drop owned by " + name + " cascade; drop role " + name);
  }

  /** As the database's owner. */
  void execute(String sql) throws SQLException {
    try (Connection connection = database.dataSource().getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }
}
