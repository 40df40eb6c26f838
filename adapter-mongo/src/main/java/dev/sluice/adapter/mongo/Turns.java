package dev.sluice.adapter.mongo;

import dev.sluice.core.event.StreamId;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Appends of this process to one stream wait for each other instead of losing against each other,
 * which would cost a filler each time. That spares work and decides nothing: who has waited long
 * enough goes on without a turn, and the unique index sees to the rest.
 */
final class Turns {

  /** Of one stream, while somebody has it or waits for it. */
  private static final class Queue {
    private final Semaphore free = new Semaphore(1, true);
    private int users;
  }

  /** To be ended when the append is done, also by who did not get it. */
  interface Turn {
    void end();
  }

  private final ConcurrentMap<StreamId, Queue> queues = new ConcurrentHashMap<>();

  /** Waits for its turn, but no longer than this; and not when interrupted. */
  Turn await(StreamId stream, Duration patience) {
    Queue queue =
        queues.compute(
            stream,
            (key, there) -> {
              Queue joined = there == null ? new Queue() : there;
              joined.users++;
              return joined;
            });
    boolean taken = taken(queue, patience);
    return () -> {
      if (taken) {
        queue.free.release();
      }
      queues.computeIfPresent(stream, (key, there) -> --there.users == 0 ? null : there);
    };
  }

  private static boolean taken(Queue queue, Duration patience) {
    try {
      return queue.free.tryAcquire(patience.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      // The caller's outcome could not be told otherwise.
      Thread.currentThread().interrupt();
      return queue.free.tryAcquire();
    }
  }

  /** How many streams somebody appends to. */
  int size() {
    return queues.size();
  }
}
