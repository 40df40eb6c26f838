package dev.sluice.adapter.inmemory;

import dev.sluice.tck.StorageFixture;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** The in-memory adapter with one realistic fault each, and the test that must notice. */
public final class Mutants {

  private Mutants() {}

  /**
   * A faulty store.
   *
   * @param fault what is wrong with it
   * @param suite the suite that must notice
   * @param killedBy the test of it that must fail
   * @param fixture makes the store
   */
  public record Mutant(
      String fault, Class<?> suite, String killedBy, Supplier<StorageFixture> fixture) {

    @Override
    public String toString() {
      return fault;
    }
  }

  /** All of them. */
  public static List<Mutant> all() {
    List<Mutant> all = new ArrayList<>();
    all.addAll(StreamMutants.all());
    all.addAll(LogMutants.all());
    all.addAll(OutboxMutants.all());
    all.addAll(CoordinationMutants.all());
    return all;
  }
}
