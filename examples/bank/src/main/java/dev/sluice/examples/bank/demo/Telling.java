package dev.sluice.examples.bank.demo;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;

/** How chapters speak, and check what they say. */
final class Telling {

  /** How long the demo waits for what takes a moment. */
  static final Duration PATIENCE = Duration.ofSeconds(60);

  private final PrintStream out;
  private int chapter;

  Telling(PrintStream out) {
    this.out = out;
  }

  void title(String text) {
    out.println();
    out.println(++chapter + ". " + text);
  }

  void line(String text) {
    out.println(chapter == 0 || text.isEmpty() ? text : "   " + text);
  }

  void end(String text) {
    out.println();
    out.println(text);
  }

  static void check(boolean holds, String promise) {
    if (!holds) {
      throw new DemoException("This must not happen: " + promise + ". Please report it.");
    }
  }

  /** Waits until something is so. */
  static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new DemoException(what + " did not happen within " + PATIENCE.toSeconds() + " s.");
      }
      try {
        Thread.sleep(5);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new DemoException("Interrupted", e);
      }
    }
  }

  /** Runs all at once and returns what each returned, in their order. */
  static <T> List<T> atTheSameMoment(List<Callable<T>> actions) {
    CountDownLatch start = new CountDownLatch(1);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<T>> futures = new ArrayList<>();
      for (Callable<T> action : actions) {
        futures.add(
            threads.submit(
                () -> {
                  start.await();
                  return action.call();
                }));
      }
      start.countDown();
      List<T> results = new ArrayList<>();
      for (Future<T> future : futures) {
        results.add(future.get());
      }
      return results;
    } catch (ExecutionException e) {
      throw new DemoException("One of them failed: " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DemoException("Interrupted", e);
    }
  }
}
