package dev.sluice.tck;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/**
 * Counts what this thread allocates, garbage included: whoever reads a whole log to return one page
 * of it allocates the whole log, whatever the size of the heap.
 */
final class Memory {

  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private long before = threads.getCurrentThreadAllocatedBytes();

  /** Since the last call. */
  void assertAllocatedAtMost(long bytes, String what) {
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    assertTrue(
        allocated <= bytes,
        () -> what + ": at most " + bytes + " bytes were to be allocated, seen: " + allocated);
    before = threads.getCurrentThreadAllocatedBytes();
  }
}
