package dev.sluice.tck;

import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The suite for publishers notices broken ones. */
class BrokerMutantsTest {

  private static Supplier<? extends PublisherFixture> current = InMemoryBroker::new;

  static List<BrokerMutants.Mutant> mutants() {
    return BrokerMutants.all();
  }

  @ParameterizedTest
  @MethodSource("mutants")
  void isKilledByTheTestThatItNames(BrokerMutants.Mutant mutant) {
    current = InMemoryBroker::new;
    Kill.assertPasses(Host.class, mutant.killedBy());
    current = mutant.fixture();
    Kill.assertFails(Host.class, mutant.killedBy(), mutant.fault());
  }

  static class Host extends MessagePublisherContract {
    @Override
    protected PublisherFixture createFixture() {
      return current.get();
    }
  }
}
