package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.PageLimit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one reader of the log's end in a process. It keeps the last events in memory, bounded, and
 * whoever is not further behind than that takes them from there; who is, reads by himself. So a
 * slow subscription holds up nobody, and ten idle ones cost as much as one.
 */
final class Tail implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Tail.class);

  private static final int MAX_PAGE = 1_000;
  private static final int MAX_EVENTS = 8_192;
  private static final long MAX_BYTES = 8L << 20;
  private static final long MIN_PAUSE = TimeUnit.MILLISECONDS.toNanos(1);
  private static final long MAX_PAUSE = TimeUnit.MILLISECONDS.toNanos(500);
  private static final long MAX_PAUSE_AFTER_ERROR = TimeUnit.SECONDS.toNanos(5);

  private record Chunk(List<RecordedEvent> events, Position next, long bytes) {}

  private final GlobalLog log;
  private final PageLimit pageLimit = new PageLimit(MAX_PAGE);
  private final Thread thread;
  private final AtomicBoolean hinted = new AtomicBoolean();
  private volatile boolean closed;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition arrived = lock.newCondition();
  private final ArrayDeque<Chunk> chunks = new ArrayDeque<>();
  private int events;
  private long bytes;

  /** What is in memory is everything that the filter lets through behind start, up to end. */
  private Position start = Position.START;

  private Position end = Position.START;
  private @Nullable EventFilter filter;
  private int followers;

  Tail(GlobalLog log, String name) {
    this.log = log;
    // A platform thread: it is the one that all latency depends on, and must not wait for a
    // carrier.
    this.thread = Thread.ofPlatform().daemon().name("sluice-tail-" + name).unstarted(this::run);
  }

  void begin() {
    thread.start();
  }

  /** Something was appended. Called by whoever appends: cheap, and never blocks. */
  void hint() {
    if (!hinted.getAndSet(true)) {
      LockSupport.unpark(thread);
    }
  }

  /**
   * Joins those who follow the end.
   *
   * @param from where the caller is
   */
  void follow(EventFilter wanted, Position from) {
    lock.lock();
    try {
      followers++;
      if (filter == null || followers == 1) {
        filter = wanted;
        restart(Position.max(from, end));
      } else if (!covers(filter, wanted)) {
        // A read that is under way still has the old filter; its page is dropped, see append().
        filter = union(filter, wanted);
        restart(end);
      }
    } finally {
      lock.unlock();
    }
    hint();
  }

  void unfollow() {
    lock.lock();
    try {
      followers--;
    } finally {
      lock.unlock();
    }
  }

  private void restart(Position at) {
    start = at;
    end = at;
    chunks.clear();
    events = 0;
    bytes = 0;
  }

  /** From which position on everything is in memory. */
  Position start() {
    lock.lock();
    try {
      return start;
    } finally {
      lock.unlock();
    }
  }

  /**
   * The events behind a position.
   *
   * @return empty if they are no longer all in memory
   */
  Optional<LogPage> after(Position cursor, Subscription wanted, Partition partition, int limit) {
    lock.lock();
    try {
      if (start.isAfter(cursor)) {
        return Optional.empty();
      }
      if (!end.isAfter(cursor)) {
        return Optional.of(new LogPage(List.of(), cursor, false));
      }
      List<Chunk> newer = new ArrayList<>();
      for (Iterator<Chunk> it = chunks.descendingIterator(); it.hasNext(); ) {
        Chunk chunk = it.next();
        if (!chunk.next.isAfter(cursor)) {
          break;
        }
        newer.add(chunk);
      }
      Collections.reverse(newer);
      List<RecordedEvent> found = new ArrayList<>();
      for (Chunk chunk : newer) {
        for (RecordedEvent event : chunk.events) {
          if (event.position().isAfter(cursor)
              && wanted.matches(event)
              && partition.contains(event.stream())) {
            if (found.size() == limit) {
              return Optional.of(new LogPage(found, found.getLast().position(), true));
            }
            found.add(event);
          }
        }
      }
      return Optional.of(new LogPage(found, end, false));
    } finally {
      lock.unlock();
    }
  }

  /** Waits until there is something behind a position, or a flag is set, or time is up. */
  void await(Position cursor, AtomicBoolean woken, long nanos) throws InterruptedException {
    lock.lock();
    try {
      long left = nanos;
      while (!end.isAfter(cursor) && !start.isAfter(cursor) && !woken.get() && left > 0) {
        left = arrived.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Makes all who wait look at their flags. */
  void wakeAll() {
    lock.lock();
    try {
      arrived.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    long pause = MIN_PAUSE;
    boolean failed = false;
    while (!closed) {
      Position from;
      EventFilter by;
      lock.lock();
      try {
        from = end;
        by = followers > 0 ? filter : null;
      } finally {
        lock.unlock();
      }
      if (by == null) {
        park(Long.MAX_VALUE);
        pause = MIN_PAUSE;
        continue;
      }
      try {
        LogPage page = pageLimit.read(count -> log.read(from, by, count));
        if (failed) {
          failed = false;
          LOG.info("The log can be read again; its subscriptions go on");
        }
        boolean moved = append(from, by, page);
        pause = moved ? MIN_PAUSE : Math.min(MAX_PAUSE, pause * 2);
        if (moved && page.more()) {
          continue;
        }
      } catch (RuntimeException | Error e) {
        // Also an error: without this thread all subscriptions would stand still in silence.
        if (closed) {
          return;
        }
        if (!failed) {
          failed = true;
          LOG.warn("The log can't be read; trying again until it can", e);
        }
        pause = Math.min(MAX_PAUSE_AFTER_ERROR, Math.max(MIN_PAUSE * 100, pause * 2));
      }
      if (park(pause)) {
        pause = MIN_PAUSE;
      }
    }
  }

  private boolean append(Position from, EventFilter by, LogPage page) {
    lock.lock();
    try {
      if (!from.equals(end) || !by.equals(filter)) {
        return true;
      }
      if (!page.next().isAfter(end)) {
        return false;
      }
      end = page.next();
      if (!page.events().isEmpty()) {
        long size = PageLimit.sizeOf(page.events());
        chunks.add(new Chunk(page.events(), page.next(), size));
        events += page.events().size();
        bytes += size;
        while (chunks.size() > 1 && (events > MAX_EVENTS || bytes > MAX_BYTES)) {
          Chunk oldest = chunks.remove();
          events -= oldest.events.size();
          bytes -= oldest.bytes;
          start = oldest.next;
        }
      }
      arrived.signalAll();
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Whether there was a hint. */
  private boolean park(long nanos) {
    long until = System.nanoTime() + nanos;
    while (!closed && !hinted.get()) {
      long left = until - System.nanoTime();
      if (nanos == Long.MAX_VALUE) {
        LockSupport.park(this);
      } else if (left <= 0) {
        return false;
      } else {
        LockSupport.parkNanos(this, left);
      }
    }
    hinted.set(false);
    return true;
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
    boolean interrupted = false;
    try {
      thread.join(TimeUnit.SECONDS.toMillis(5));
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static boolean covers(EventFilter outer, EventFilter inner) {
    return union(outer, inner).equals(outer);
  }

  /** A filter that lets through at least what either does. */
  private static EventFilter union(EventFilter a, EventFilter b) {
    return new EventFilter(union(a.categories(), b.categories()), union(a.types(), b.types()));
  }

  private static Set<String> union(Set<String> a, Set<String> b) {
    if (a.isEmpty() || b.isEmpty()) {
      return Set.of();
    }
    Set<String> all = new HashSet<>(a);
    all.addAll(b);
    return all;
  }
}
