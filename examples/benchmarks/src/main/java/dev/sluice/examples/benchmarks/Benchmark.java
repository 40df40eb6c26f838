package dev.sluice.examples.benchmarks;

import java.util.List;

/** One benchmark on one store. */
interface Benchmark {

  /** The value for {@code -Dbench}. */
  String name();

  /** The value for {@code -Dstore}. */
  String store();

  /** How many threads to measure with, one after the other, unless {@code -Dthreads} says it. */
  default List<Integer> defaultThreads() {
    return List.of(1, 8, 32);
  }

  /** How long one measurement takes, unless {@code -Dseconds} says it. */
  default int seconds() {
    return 2;
  }

  /** Measures, and reports what it measured on and each result. */
  void run(Settings settings, Report report) throws Exception;
}
