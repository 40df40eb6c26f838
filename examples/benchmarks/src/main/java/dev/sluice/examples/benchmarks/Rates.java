package dev.sluice.examples.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntFunction;

/**
 * Measures how often several pieces of work are done per second. They take turns, so that whatever
 * else the machine does meets all of them alike; the median of the turns counts.
 */
final class Rates {

  private static final int TURNS = 5;

  private Rates() {}

  /** One unit of work. */
  interface Step {
    void run() throws Exception;
  }

  /**
   * Measures.
   *
   * @param works for each piece of work, makes the step of a thread from the thread's number
   * @return the rates per second, one for each piece of work
   */
  static double[] perSecond(int threads, int seconds, List<IntFunction<Step>> works)
      throws InterruptedException, ExecutionException {
    List<List<Step>> steps = new ArrayList<>();
    for (IntFunction<Step> work : works) {
      List<Step> ofThreads = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        ofThreads.add(work.apply(thread));
      }
      steps.add(ofThreads);
    }
    double[][] rates = new double[works.size()][TURNS];
    try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
      for (int turn = -1; turn < TURNS; turn++) {
        for (int work = 0; work < rates.length; work++) {
          // Turn -1 warms up.
          double rate = measure(executor, steps.get(work), seconds);
          if (turn >= 0) {
            rates[work][turn] = rate;
          }
        }
      }
    }
    double[] medians = new double[rates.length];
    for (int work = 0; work < rates.length; work++) {
      Arrays.sort(rates[work]);
      medians[work] = rates[work][TURNS / 2];
    }
    return medians;
  }

  private static double measure(ExecutorService executor, List<Step> steps, int seconds)
      throws InterruptedException, ExecutionException {
    AtomicBoolean stop = new AtomicBoolean();
    LongAdder done = new LongAdder();
    List<Future<Void>> running = new ArrayList<>();
    long begin = System.nanoTime();
    for (Step step : steps) {
      Callable<Void> loop =
          () -> {
            while (!stop.get()) {
              step.run();
              done.increment();
            }
            return null;
          };
      running.add(executor.submit(loop));
    }
    Thread.sleep(TimeUnit.SECONDS.toMillis(seconds));
    stop.set(true);
    for (Future<Void> thread : running) {
      thread.get();
    }
    return done.sum() / ((System.nanoTime() - begin) / 1e9);
  }
}
