package dev.sluice.tck;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Assertions;

/**
 * Measures what reading costs. A heap that can't hold what is read would be the plainest test, but
 * a suite can't choose the heap of the process that runs it, and a store in memory keeps its data
 * there. So two numbers stand for it, and whoever would fail in a small heap exceeds one of them:
 *
 * <ul>
 *   <li>what <i>all</i> threads allocate while one page is read, garbage included: a page that is
 *       cut out of everything costs everything, on whichever thread;
 *   <li>what is alive while everything is read one by one: whoever collects first, or keeps what
 *       was read, keeps it alive.
 * </ul>
 */
final class Memory {

  private static final int TRIES = 5;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final long before;

  /** Starts from what is alive now, without what an earlier test left and goes with its threads. */
  Memory() {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < TRIES; i++) {
      least = Math.min(least, alive());
    }
    before = least;
  }

  /** Reads again if it was more, because other threads of this process may do something else. */
  static void assertAllocatesAtMost(long bytes, String what, Runnable read) {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < TRIES && least > bytes; i++) {
      long start = THREADS.getTotalThreadAllocatedBytes();
      read.run();
      least = Math.min(least, THREADS.getTotalThreadAllocatedBytes() - start);
    }
    if (least > bytes) {
      Assertions.fail(
          what + ": expected at most " + bytes + " bytes to be allocated, seen at least " + least);
    }
  }

  /** Collects garbage again if it was more, because one collection need not find all of it. */
  void assertGrewAtMost(long bytes, String what) {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < TRIES && least > bytes; i++) {
      least = Math.min(least, alive() - before);
    }
    if (least > bytes) {
      Assertions.fail(
          what
              + ": expected at most "
              + bytes
              + " bytes more to be alive, seen "
              + least
              + " (measured after System.gc(), which must not be disabled)");
    }
  }

  private static long alive() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }
}
