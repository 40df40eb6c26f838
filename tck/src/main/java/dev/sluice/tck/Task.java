package dev.sluice.tck;

import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A call on a thread of its own, whose end is waited for with a bound. */
final class Task<T> {

  private static final int BOUND_SECONDS = 90;

  private final FutureTask<T> future;
  private final CountDownLatch started;
  private final Thread thread;

  private Task(FutureTask<T> future, CountDownLatch started, Thread thread) {
    this.future = future;
    this.started = started;
    this.thread = thread;
  }

  static <T> Task<T> start(Callable<T> call) {
    CountDownLatch started = new CountDownLatch(1);
    FutureTask<T> future =
        new FutureTask<>(
            () -> {
              started.countDown();
              return call.call();
            });
    Thread thread = new Thread(future, "tck-task");
    thread.setDaemon(true);
    thread.start();
    return new Task<>(future, started, thread);
  }

  void interrupt() {
    thread.interrupt();
  }

  /** What the call returned; throws what it threw. */
  T result() {
    Outcome<T> outcome = outcome();
    if (outcome.failure() instanceof RuntimeException e) {
      throw e;
    }
    if (outcome.failure() != null) {
      throw new AssertionError("a call on another thread failed", outcome.failure());
    }
    return outcome.value();
  }

  /** How the call ended. */
  Outcome<T> outcome() {
    try {
      return Outcome.returned(future.get(BOUND_SECONDS, TimeUnit.SECONDS));
    } catch (ExecutionException e) {
      return Outcome.threw(e.getCause());
    } catch (TimeoutException e) {
      throw new AssertionError(
          "a call did not end within "
              + BOUND_SECONDS
              + " s; is it waiting for an append that the suite holds open on another stream?",
          e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted while waiting for a call", e);
    }
  }

  /** Whether the call goes on for at least this long, counted from when its thread has begun. */
  boolean isStillRunningAfterMillis(long millis) {
    try {
      if (!started.await(BOUND_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("a thread did not begin within " + BOUND_SECONDS + " s");
      }
      future.get(millis, TimeUnit.MILLISECONDS);
      return false;
    } catch (TimeoutException e) {
      return true;
    } catch (ExecutionException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted while waiting for a call", e);
    }
  }
}
