package dev.sluice.examples.bank.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.testservers.KafkaServer;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(300)
class BankDemoTest {

  @ParameterizedTest
  @ValueSource(strings = {"inmemory", "mongo", "sqlite"})
  void tells_its_story_on_each_store(String store) {
    assertIsTheStory(run(settings("store", store)));
  }

  @Test
  void tells_its_story_twice_on_the_same_servers() {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    String uri = database.url() + "?user=" + database.user() + "&password=" + database.password();
    String kafka = KafkaServer.shared().bootstrap();
    assertIsTheStory(run(settings("postgres.uri", uri, "kafka.bootstrap", kafka)));
    assertThat(run(settings("postgres.uri", uri, "kafka.bootstrap", kafka)))
        .satisfies(BankDemoTest::assertIsTheStory)
        .as("what was published is not published again")
        .doesNotContain("from earlier runs");
  }

  @Test
  void an_unknown_store_is_named_with_those_that_there_are() {
    assertThatThrownBy(() -> settings("store", "oracle"))
        .isInstanceOf(DemoException.class)
        .hasMessage(
            "There is no store 'oracle'. Say -Dstore=inmemory or -Dstore=postgres or -Dstore=mongo"
                + " or -Dstore=sqlite.");
  }

  @Test
  void an_unreachable_postgres_is_named_without_its_password() {
    assertThatThrownBy(
            () ->
                run(
                    settings(
                        "postgres.uri",
                        "jdbc:postgresql://localhost:1/bank?user=me&password=secret")))
        .isInstanceOf(DemoException.class)
        .hasMessageContaining("No PostgreSQL answers at jdbc:postgresql://localhost:1/bank")
        .hasMessageContaining("-Dpostgres.uri")
        .hasMessageNotContaining("secret");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"postgresql://me:secret@localhost/bank", "jdbc:mysql://h/b?password=secret"})
  void an_uri_of_something_else_is_named_without_its_password(String uri) {
    assertThatThrownBy(() -> run(settings("postgres.uri", uri)))
        .isInstanceOf(DemoException.class)
        .hasMessageContaining("is no PostgreSQL that JDBC knows")
        .hasMessageContaining("-Dpostgres.uri='jdbc:postgresql://host:port/database")
        .hasMessageNotContaining("secret");
  }

  @Test
  void a_database_that_is_missing_is_named() {
    String missing =
        PostgresServer.shared().newDatabase().url().replaceFirst("/[^/]*$", "/missing");
    assertThatThrownBy(() -> run(settings("postgres.uri", missing + "?user=postgres")))
        .isInstanceOf(DemoException.class)
        .hasMessageContaining("has no such database")
        .hasMessageContaining("/missing");
  }

  @Test
  void a_wrong_password_is_said_to_be_wrong_and_not_shown() throws SQLException {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    // Whoever is trusted needs no password; who doesn't exist is let in with none.
    String uri = database.url() + "?user=stranger&password=secret";
    assertThatThrownBy(() -> run(settings("postgres.uri", uri)))
        .isInstanceOf(DemoException.class)
        .hasMessageContaining("doesn't let the demo in")
        .hasMessageContaining("stranger")
        .hasMessageContaining("-Dpostgres.uri")
        .hasMessageNotContaining("secret");
    try (Connection connection = database.dataSource().getConnection();
        ResultSet schemas =
            connection.createStatement().executeQuery("select to_regnamespace('sluice')")) {
      schemas.next();
      assertThat(schemas.getString(1)).as("nothing was written").isNull();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"nonsense", "no-such-host.invalid:9092"})
  void an_address_that_is_none_is_named(String bootstrap) {
    assertThatThrownBy(() -> run(settings("store", "inmemory", "kafka.bootstrap", bootstrap)))
        .isInstanceOf(DemoException.class)
        .hasMessageContaining("Kafka at " + bootstrap + " can't be used")
        .hasMessageContaining("-Dkafka.bootstrap");
  }

  @Test
  void an_unreachable_kafka_is_named() {
    assertThatThrownBy(() -> run(settings("store", "inmemory", "kafka.bootstrap", "localhost:1")))
        .isInstanceOf(DemoException.class)
        .hasMessageContaining("Kafka at localhost:1 can't be used")
        .hasMessageContaining("-Dkafka.bootstrap");
  }

  private static DemoSettings settings(String... namesAndValues) {
    Properties properties = new Properties();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      properties.setProperty(namesAndValues[i], namesAndValues[i + 1]);
    }
    return DemoSettings.of(properties);
  }

  private static String run(DemoSettings settings) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(bytes, true, UTF_8);
    try (Servers servers = Servers.start(settings)) {
      new Story(servers, out).tell();
    }
    return bytes.toString(UTF_8);
  }

  private static void assertIsTheStory(String output) {
    assertThat(output)
        .containsOnlyOnce("here you are.")
        .containsOnlyOnce("refused. There are 0.00 CHF in the account, not 42.00 CHF.")
        .contains("50 accepted, none lost")
        .contains("no caller saw one")
        .contains("outside  bank.large-deposit-made")
        .contains("A deposit of 12500.00 CHF into savings-")
        .containsPattern("the tax number +756.1234.5678.97 +yes +never")
        .contains("has come so far, and reads: Anna, 8.00 CHF, 1 movement.")
        .contains("transfer-started, transfer-completed.")
        .contains(
            "transfer-started, transfer-rejected, transfer-compensated: The account is closed.")
        .containsPattern("balances-v2: [0-9,]+ of [0-9,]+ events .*, switched|balances-v3")
        .containsPattern("balances-v\\d answers now: \\d+ accounts")
        .containsPattern("transfer +running +p1-\\d+ +none")
        .containsPattern("relay, lane 0 +running +p1-\\d+ +none")
        .contains("is at version 6 and holds 32000.00 CHF.")
        .contains("A deposit of 20000.00 CHF into savings-")
        .contains("That's all.");
    assertThat(output.lines()).allSatisfy(line -> assertThat(line).hasSizeLessThan(120));
  }
}
