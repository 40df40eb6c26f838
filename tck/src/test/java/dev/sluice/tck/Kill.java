package dev.sluice.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** Runs one test of a suite, and says whether it did what it must on a right or a faulty store. */
final class Kill {

  private Kill() {}

  static void assertPasses(Class<?> suite, String test) {
    assertThat(run(suite, test).getTestsSucceededCount())
        .as("%s passes without the fault", test)
        .isEqualTo(1);
  }

  static void assertFails(Class<?> suite, String test, String fault) {
    TestExecutionSummary summary = run(suite, test);
    assertThat(summary.getTestsFailedCount()).as("where %s survived %s", fault, test).isEqualTo(1);
    Throwable failure = summary.getFailures().getFirst().getException();
    assertThat(failure)
        .as("a promise was broken, not the test itself")
        .isInstanceOf(AssertionError.class);
    assertThat(failure.getMessage())
        .matches("(?s)([A-Z]\\d(, seed \\d+)?[: ]|a closed storage: ).*");
  }

  static TestExecutionSummary run(Class<?> suite, String test) {
    var listener = new SummaryGeneratingListener();
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request()
                .selectors(selectMethod(suite, test))
                .configurationParameter("sluice.tck.report", "off")
                .build(),
            listener);
    TestExecutionSummary summary = listener.getSummary();
    assertThat(summary.getTestsFoundCount()).as("tests named %s", test).isEqualTo(1);
    return summary;
  }
}
