package dev.sluice.core.subscription;

import dev.sluice.core.event.RecordedEvent;
import java.util.List;

/**
 * How many events to read at once, so that a page takes about 2 MB, whatever the size of an event.
 * Learns from the pages that were read. Safe for use by any number of threads.
 */
final class PageLimit {

  private static final int FIRST = 64;
  private static final long PAGE_BYTES = 2L << 20;

  private final int max;
  private int limit = FIRST;

  PageLimit(int max) {
    this.max = max;
  }

  /** About what events take in memory. */
  static long sizeOf(List<RecordedEvent> events) {
    return events.stream()
        .mapToLong(event -> 200L + event.data().size() + event.metadata().size())
        .sum();
  }

  synchronized int get() {
    return limit;
  }

  synchronized void learn(List<RecordedEvent> page) {
    if (page.isEmpty()) {
      return;
    }
    long size = sizeOf(page) / page.size();
    int fitting = (int) Math.min(max, Math.max(1, PAGE_BYTES / size));
    // Only who finds full pages gains by larger ones; at the log's end a burst of large events may
    // follow small ones.
    limit = Math.min(fitting, page.size() < limit ? limit : limit * 4);
  }
}
