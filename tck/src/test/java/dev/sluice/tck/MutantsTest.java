package dev.sluice.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import dev.sluice.adapter.inmemory.Mutants;
import dev.sluice.adapter.inmemory.Mutants.Mutant;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** The suites notice broken stores: each mutant fails the test that is named in its declaration. */
class MutantsTest {

  private static final Map<Class<?>, Class<?>> HOSTS =
      Map.of(
          EventStoreContract.class, EventStoreHost.class,
          GlobalLogContract.class, GlobalLogHost.class,
          OutboxContract.class, OutboxHost.class,
          CheckpointContract.class, CheckpointHost.class,
          SnapshotContract.class, SnapshotHost.class,
          LeaseContract.class, LeaseHost.class);

  private static Supplier<? extends StorageFixture> current = InMemoryFixture::new;

  static List<Mutant> mutants() {
    return Mutants.all();
  }

  @Test
  void thereAreAtLeastFortyMutantsWithDifferentFaults() {
    assertThat(mutants()).hasSizeGreaterThanOrEqualTo(40);
    assertThat(mutants()).extracting(Mutant::fault).doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @MethodSource("mutants")
  void isKilledByTheTestThatItNames(Mutant mutant) {
    TestExecutionSummary rightStore = run(mutant, InMemoryFixture::new);
    assertThat(rightStore.getTestsSucceededCount())
        .as("%s passes on the store without the fault", mutant.killedBy())
        .isEqualTo(1);

    TestExecutionSummary faulty = run(mutant, mutant.fixture());
    assertThat(faulty.getTestsFailedCount())
        .as("the store where %s survived %s", mutant.fault(), mutant.killedBy())
        .isEqualTo(1);
    Throwable failure = faulty.getFailures().getFirst().getException();
    assertThat(failure)
        .as("a promise was broken, not the test itself")
        .isInstanceOf(AssertionError.class);
    assertThat(failure.getMessage()).matches("(?s)[A-Z]\\d(, seed \\d+)?[: ].*");
  }

  private static TestExecutionSummary run(
      Mutant mutant, Supplier<? extends StorageFixture> fixture) {
    current = fixture;
    var listener = new SummaryGeneratingListener();
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request()
                .selectors(selectMethod(HOSTS.get(mutant.suite()), mutant.killedBy()))
                .configurationParameter("sluice.tck.report", "off")
                .build(),
            listener);
    TestExecutionSummary summary = listener.getSummary();
    assertThat(summary.getTestsFoundCount()).as("tests named %s", mutant.killedBy()).isEqualTo(1);
    return summary;
  }

  static class EventStoreHost extends EventStoreContract {
    @Override
    protected StorageFixture createFixture() {
      return current.get();
    }
  }

  static class GlobalLogHost extends GlobalLogContract {
    @Override
    protected StorageFixture createFixture() {
      return current.get();
    }
  }

  static class OutboxHost extends OutboxContract {
    @Override
    protected StorageFixture createFixture() {
      return current.get();
    }
  }

  static class CheckpointHost extends CheckpointContract {
    @Override
    protected StorageFixture createFixture() {
      return current.get();
    }
  }

  static class SnapshotHost extends SnapshotContract {
    @Override
    protected StorageFixture createFixture() {
      return current.get();
    }
  }

  static class LeaseHost extends LeaseContract {
    @Override
    protected StorageFixture createFixture() {
      return current.get();
    }
  }
}
