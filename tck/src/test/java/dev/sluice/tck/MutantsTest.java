package dev.sluice.tck;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.adapter.inmemory.Mutants;
import dev.sluice.adapter.inmemory.Mutants.Mutant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

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
  void thereAreManyMutantsWithDifferentFaults() {
    assertThat(mutants()).hasSizeGreaterThanOrEqualTo(110);
    assertThat(mutants()).extracting(Mutant::fault).doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @MethodSource("mutants")
  void isKilledByTheTestThatItNames(Mutant mutant) {
    Class<?> host = Objects.requireNonNull(HOSTS.get(mutant.suite()));
    current = InMemoryFixture::new;
    Kill.assertPasses(host, mutant.killedBy());
    current = mutant.fixture();
    Kill.assertFails(host, mutant.killedBy(), mutant.fault());
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
