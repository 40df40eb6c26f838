package dev.sluice.testservers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class PostgresServersTest {

  @Test
  void the_shared_server_gives_each_caller_a_database_of_its_own() throws SQLException {
    PostgresDatabase one = PostgresServer.shared().newDatabase();
    PostgresDatabase other = PostgresServer.shared().newDatabase();

    execute(one, "CREATE TABLE t (n int)");

    assertThat(query(one, "SELECT count(*) FROM t")).isEqualTo("0");
    assertThatThrownBy(() -> query(other, "SELECT count(*) FROM t"))
        .hasMessageContaining("does not exist");
    assertThat(query(one, "SHOW server_version_num")).startsWith("18");
  }

  @Test
  void an_owned_server_keeps_what_was_committed_when_it_is_killed() throws SQLException {
    try (OwnedPostgres server = OwnedPostgres.start()) {
      PostgresDatabase database = server.newDatabase();
      execute(database, "CREATE TABLE t (n int)");
      execute(database, "INSERT INTO t VALUES (42)");
      assertThat(query(database, "SHOW fsync")).isEqualTo("on");

      server.kill();
      assertThatThrownBy(() -> query(database, "SELECT n FROM t")).isInstanceOf(SQLException.class);

      server.restart();
      assertThat(query(database, "SELECT n FROM t")).isEqualTo("42");
    }
  }

  @Test
  void an_unreachable_explicit_server_is_named_in_one_message() {
    assertThatThrownBy(() -> PostgresServer.explicit("jdbc:postgresql://localhost:1/x?user=me"))
        .hasMessageContaining("No PostgreSQL answers at jdbc:postgresql://localhost:1/x as me")
        .hasMessageContaining("-Dsluice.test.postgres.uri");
    assertThatThrownBy(() -> PostgresServer.explicit("postgres.example"))
        .hasMessageContaining("Not a PostgreSQL URL: postgres.example");
  }

  @Test
  void an_existing_server_is_used_with_its_parameters_and_cleaned_up() throws SQLException {
    PostgresDatabase existing = PostgresServer.shared().newDatabase();
    PostgresServer server =
        PostgresServer.explicit(
            existing.url()
                + (existing.url().contains("?") ? "&" : "?")
                + "ApplicationName=mine&user="
                + existing.user()
                + "&password="
                + existing.password());

    PostgresDatabase created = server.newDatabase();

    assertThat(query(created, "SHOW application_name")).isEqualTo("mine");
    server.dropCreated();
    assertThatThrownBy(() -> query(created, "SELECT 1")).hasMessageContaining("does not exist");
  }

  private static void execute(PostgresDatabase database, String sql) throws SQLException {
    try (Connection connection = database.dataSource().getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  static String query(PostgresDatabase database, String sql) throws SQLException {
    try (Connection connection = database.dataSource().getConnection();
        Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery(sql)) {
      assertThat(result.next()).isTrue();
      return result.getString(1);
    }
  }
}
