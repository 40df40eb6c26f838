package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.projection.ProjectionVersions;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.Test;

/**
 * A view over a long log is made anew in a JVM of its own with a heap of 128 MB. {@code
 * -Dsluice.test.rebuild.events=1000000} makes the log really long.
 */
class RebuildTest {

  private static final int EVENTS = Integer.getInteger("sluice.test.rebuild.events", 20_000);
  private static final int EACH = 1_000;
  private static final Pattern PROGRESS =
      Pattern.compile("([\\d,]+) of ([\\d,]+) events \\(\\d+ %\\), .*");

  @Test
  void U5_aLongLogIsReplayedInASmallHeapWhileTheOldViewAnswers() throws Exception {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    try (HikariDataSource pool = PostgresFixture.pool(database, 4);
        JdbcStorage storage = JdbcStorage.create(pool)) {
      Jdbi jdbi = Jdbi.create(pool);
      jdbi.useHandle(handle -> BalancesView.create(handle, "balances"));
      jdbi.useHandle(handle -> BalancesView.create(handle, "balances_v2"));
      for (int i = 0; i < EVENTS / EACH; i++) {
        storage
            .eventStore()
            .append(
                StreamId.of("account", "a" + i % 200),
                ExpectedVersion.any(),
                BalancesView.deposits(1, EACH));
      }
      jdbi.useHandle(handle -> handle.execute("insert into balances values ('old', 42, 1)"));
      ProjectionVersions versions = new ProjectionVersions(storage);
      versions.switchTo("balances", "balances");

      Process process = start(database);
      List<String> output = new ArrayList<>();
      List<Long> done = new ArrayList<>();
      int answersOfTheOldView = 0;
      try (BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          output.add(line);
          Matcher progress = PROGRESS.matcher(line);
          if (progress.matches()) {
            done.add(Long.parseLong(progress.group(1).replace(",", "")));
          }
          String active = versions.active("balances").orElseThrow();
          Map<String, List<Long>> view =
              jdbi.withHandle(handle -> BalancesView.read(handle, active));
          if (active.equals("balances")) {
            assertThat(view).isEqualTo(Map.of("old", List.of(42L, 1L)));
            answersOfTheOldView++;
          }
        }
      } finally {
        process.destroy();
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
      }
      assertThat(process.exitValue()).as("%s", output).isZero();
      System.out.println(output.get(output.size() - 2) + ", " + output.getLast());
      assertThat(answersOfTheOldView).as("%s", output).isGreaterThanOrEqualTo(2);
      assertThat(done).as("%s", output).isSorted().endsWith((long) EVENTS);
      assertThat(done.stream().distinct().count()).as("%s", output).isGreaterThanOrEqualTo(3);
      assertThat(output.get(output.size() - 2)).endsWith("switched");
      assertThat(versions.active("balances")).contains("balances_v2");
      long events =
          jdbi.withHandle(
              handle ->
                  handle
                      .createQuery("select sum(events) from balances_v2")
                      .mapTo(Long.class)
                      .one());
      assertThat(events).isEqualTo(EVENTS);
    }
  }

  private static Process start(PostgresDatabase database) throws Exception {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx128m",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:+UseSerialGC",
            "-cp",
            System.getProperty("java.class.path"),
            RebuildProcess.class.getName(),
            database.url(),
            database.user(),
            database.password())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }
}
