package dev.sluice.examples.benchmarks;

import java.util.List;

/**
 * What the command line says.
 *
 * @param threads the numbers of threads to measure with, one after the other
 * @param seconds how long one measurement takes
 */
record Settings(List<Integer> threads, int seconds) {

  /** The greatest number of threads. */
  int mostThreads() {
    return threads.stream().mapToInt(Integer::intValue).max().orElse(1);
  }
}
