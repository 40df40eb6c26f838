package dev.sluice.core.store;

import dev.sluice.core.event.RecordedEvent;
import java.util.List;
import java.util.function.IntFunction;

/**
 * How many events to read at once, so that a page takes about 2 MB, whatever the size of an event.
 * Learns from the pages that were read, and from those that could not be read. Safe for use by any
 * number of threads.
 */
public final class PageLimit {

  private static final int FIRST = 64;
  private static final long PAGE_BYTES = 2L << 20;

  private final int max;
  private int limit;

  /** Begins with few events. */
  public PageLimit(int max) {
    this.max = max;
    this.limit = Math.min(FIRST, max);
  }

  /** About what events take in memory. */
  public static long sizeOf(List<RecordedEvent> events) {
    return events.stream()
        .mapToLong(event -> 200L + event.data().size() + event.metadata().size())
        .sum();
  }

  /** Reads a page of as many events as the reader is given; fewer the next time if that fails. */
  public LogPage read(IntFunction<LogPage> reader) {
    int count = get();
    LogPage page;
    try {
      page = reader.apply(count);
    } catch (RuntimeException | Error e) {
      failed(count);
      throw e;
    }
    learn(page.events());
    return page;
  }

  private synchronized int get() {
    return limit;
  }

  private synchronized void learn(List<RecordedEvent> page) {
    if (page.isEmpty()) {
      return;
    }
    long size = sizeOf(page) / page.size();
    int fitting = (int) Math.min(max, Math.max(1, PAGE_BYTES / size));
    // Only who finds full pages gains by larger ones; at the log's end a burst of large events may
    // follow small ones.
    limit = Math.min(fitting, page.size() < limit ? limit : limit * 4);
  }

  /**
   * Maybe there was not enough memory for so many: small events tell nothing about large ones that
   * come behind them. If it was something else, the way up again is short. Those who fail with the
   * same page at the same time count once.
   */
  private synchronized void failed(int count) {
    limit = Math.min(limit, Math.max(1, Math.min(FIRST, count / 2)));
  }
}
