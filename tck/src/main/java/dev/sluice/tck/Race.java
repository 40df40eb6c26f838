package dev.sluice.tck;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;

/** Several calls at the same moment. */
final class Race {

  private Race() {}

  /** Starts all calls from one barrier, and returns how each ended, in order of their numbers. */
  static <T> List<Outcome<T>> of(int runners, IntFunction<Callable<T>> call) {
    CyclicBarrier start = new CyclicBarrier(runners);
    List<Task<T>> tasks = new ArrayList<>();
    for (int i = 0; i < runners; i++) {
      Callable<T> runner = call.apply(i);
      tasks.add(
          Task.start(
              () -> {
                start.await(30, TimeUnit.SECONDS);
                return runner.call();
              }));
    }
    return tasks.stream().map(Task::outcome).toList();
  }

  static <T> List<T> winners(List<Outcome<T>> outcomes) {
    return outcomes.stream().filter(Outcome::hasReturned).map(Outcome::value).toList();
  }

  static List<Throwable> failures(List<? extends Outcome<?>> outcomes) {
    List<Throwable> failures = new ArrayList<>();
    for (Outcome<?> outcome : outcomes) {
      Throwable failure = outcome.failure();
      if (failure != null) {
        failures.add(failure);
      }
    }
    return failures;
  }
}
