package dev.sluice.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import dev.sluice.adapter.inmemory.Mutants;
import dev.sluice.adapter.inmemory.Mutants.Mutant;
import dev.sluice.core.outbox.IntegrationMessage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** What a run writes down, and whether a README may go on showing it. */
class ConformanceReportTest {

  private static final String README_TEST = "a_conformance_table_in_the_README_is_current";
  private static final String TABLE =
      """
      **sluice-adapter-inmemory** on in memory, in this process

      | | |
      | --- | --- |
      | PARALLEL_APPENDS | yes |
      | CALLER_TRANSACTIONS | no |
      | ANY_CHARS | yes |
      | LARGE_APPENDS | yes |
      | G1 G2 G3 G4 G5 G6 G7 | passed |
      | L1 L2 L3 | passed |
      | O1 O2 O3 O4 O5 | passed |
      | P1 | passed |
      | S1 S2 S3 S4 S5 S6 S7 S8 S9 | passed |
      | U1 U3 U4 U5 | passed |
      """;

  private static Path readme = Path.of("none");
  private static boolean leasesWork = true;

  @TempDir Path directory;

  @BeforeEach
  void placeReadme() {
    readme = directory.resolve("README.md");
    leasesWork = true;
  }

  @Test
  void a_README_without_a_table_or_with_the_right_one_passes() throws IOException {
    Kill.assertPasses(All.class, README_TEST);
    Files.writeString(readme, "# An adapter\n");
    Kill.assertPasses(All.class, README_TEST);
    for (String right : new String[] {TABLE, TABLE.replace("in memory,", "another version,")}) {
      Files.writeString(readme, "# A\n<!-- conformance -->\n" + right + "<!-- end -->\n");
      Kill.assertPasses(All.class, README_TEST);
    }
  }

  @Test
  void a_README_with_another_table_fails() throws IOException {
    for (String wrong :
        new String[] {
          TABLE.replace("ANY_CHARS | yes", "ANY_CHARS | no, refused"),
          TABLE.replace(" U5", ""),
          TABLE.replace("-inmemory", "-other"),
          ""
        }) {
      Files.writeString(readme, "<!-- conformance -->\n" + wrong + "<!-- end -->\n");
      assertThat(Kill.run(All.class, README_TEST).getFailures())
          .singleElement()
          .satisfies(
              failure ->
                  assertThat(failure.getException())
                      .hasMessageContaining("README.md shows another table than this one"));
    }
  }

  @Test
  void a_run_writes_what_passed_and_what_failed() throws IOException {
    assertThat(report(Leases.class, "conformance.md"))
        .startsWith("**sluice-adapter-inmemory** on in memory, in this process\n\n| | |\n")
        .endsWith("| LARGE_APPENDS | yes |\n| L1 L2 L3 | passed |\n");
    leasesWork = false;
    assertThat(report(Leases.class, "conformance.md"))
        .contains("| L2 | FAILED: ", "L2_a_released_lease_is_free_at_once")
        .doesNotContain("L1 L2");
    assertThat(report(Leases.class, "conformance.json"))
        .contains(
            "\"adapter\": \"sluice-adapter-inmemory\"",
            "\"CALLER_TRANSACTIONS\": false",
            "\"L2\": {\"passed\": false",
            "\"L2_a_released_lease_is_free_at_once\": false");
  }

  @Test
  void adapters_of_one_run_are_told_apart() throws IOException {
    assertThat(report(Leases.class, InMemoryBrokerContractTest.class, "conformance.md"))
        .isEqualTo(
            """
            **a broker in memory**

            | | |
            | --- | --- |
            | K2 K3 K5 K6 | passed |

            **sluice-adapter-inmemory** on in memory, in this process

            | | |
            | --- | --- |
            | PARALLEL_APPENDS | yes |
            | CALLER_TRANSACTIONS | no |
            | ANY_CHARS | yes |
            | LARGE_APPENDS | yes |
            | L1 L2 L3 | passed |
            """);
  }

  @Test
  void what_a_broker_gives_no_occasion_to_test_is_not_said_to_have_passed() throws IOException {
    assertThat(report(Accepting.class, Leases.class, "conformance.md"))
        .contains("| K2 K3 K6 | passed |")
        .doesNotContain("K5");
  }

  private String report(Class<?> suite, String file) throws IOException {
    return report(suite, suite, file);
  }

  private String report(Class<?> suite, Class<?> another, String file) throws IOException {
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request()
                .selectors(selectClass(suite), selectClass(another))
                .configurationParameter("sluice.tck.report", directory.toString())
                .build());
    return Files.readString(directory.resolve(file));
  }

  static class All extends StorageContract {
    @Override
    protected StorageFixture createFixture() {
      return new InMemoryFixture();
    }

    @Override
    protected Path readme() {
      return readme;
    }
  }

  static class Leases extends LeaseContract {
    @Override
    protected StorageFixture createFixture() {
      return leasesWork ? new InMemoryFixture() : LEASES_THAT_STAY.fixture().get();
    }
  }

  static class Accepting extends MessagePublisherContract {
    @Override
    protected PublisherFixture createFixture() {
      return new InMemoryBroker() {
        @Override
        public Optional<IntegrationMessage> refusedMessage() {
          return Optional.empty();
        }
      };
    }
  }

  private static final Mutant LEASES_THAT_STAY =
      Mutants.all().stream()
          .filter(mutant -> mutant.killedBy().equals("L2_a_released_lease_is_free_at_once"))
          .findFirst()
          .orElseThrow();
}
