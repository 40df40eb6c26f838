package dev.sluice.examples.bank.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(180)
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
    assertIsTheStory(run(settings("postgres.uri", uri)));
    assertIsTheStory(run(settings("postgres.uri", uri)));
  }

  @Test
  void an_unknown_store_is_named_with_those_that_there_are() {
    assertThatThrownBy(() -> settings("store", "oracle"))
        .isInstanceOf(DemoException.class)
        .hasMessage(
            "There is no store 'oracle'. Say -Dstore=inmemory or -Dstore=postgres or -Dstore=mongo or"
                + " -Dstore=sqlite.");
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
        .contains("100.00 CHF more: refused. The account is closed. They are back.")
        .contains("is at version 6 and holds 32000.00 CHF.")
        .contains("A deposit of 20000.00 CHF into savings-")
        .contains("That's all.");
    assertThat(output.lines()).allSatisfy(line -> assertThat(line).hasSizeLessThan(120));
  }
}
