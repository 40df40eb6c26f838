package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.PageLimit;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StreamRange;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/**
 * Reads the log page by page for one subscription that is behind. The partitions that this process
 * owns share the pages, so that four of them do not read the log four times; the next page is read
 * while one is dealt with. In memory are a few pages of a bounded size, whatever the size of an
 * event.
 */
final class CatchUp {

  private static final int MAX_LIMIT = 4_000;
  private static final int KEPT_PAGES = 3;

  /** Most who look for a version find it near the stream's end. */
  private static final int MAX_LOOK = 200;

  private record Entry(Position after, CompletableFuture<LogPage> page) {}

  /** The last version of the stream that lies at or before a position. */
  private record Seen(Position position, long version) {}

  private final Storage storage;
  private final Subscription subscription;
  private final ArrayDeque<Entry> entries = new ArrayDeque<>();
  private final PageLimit limit = new PageLimit(MAX_LIMIT);

  /** Where the last page of a single stream has ended, so that the next one begins there. */
  private volatile @Nullable Seen seen;

  CatchUp(Storage storage, Subscription subscription) {
    this.storage = storage;
    this.subscription = subscription;
  }

  /**
   * A page that holds everything behind a position that the subscription is about, up to its next;
   * it may begin earlier.
   */
  LogPage read(Position after) {
    for (; ; ) {
      Entry found = find(after);
      LogPage page = join(found);
      if (page.next().isAfter(after) || found.after.equals(after)) {
        if (page.more()) {
          readAhead(found, page.next());
        } else {
          forget();
        }
        return page;
      }
      // It was being read when it was found, and turned out to end before the position.
    }
  }

  /**
   * Like {@link #read}, but that there is nothing more was found out after this call began. A page
   * that was read ahead may have ended where the log ended then, and the log has grown since.
   */
  LogPage readNow(Position after) {
    LogPage page = read(after);
    return page.more() ? page : readPage(after);
  }

  private synchronized Entry find(Position after) {
    Entry best = null;
    for (Entry entry : entries) {
      if (entry.after.isAfter(after)) {
        break;
      }
      LogPage done = finished(entry);
      if (done == null || done.next().isAfter(after)) {
        best = entry;
        break;
      }
    }
    return best != null ? best : load(after);
  }

  private static @Nullable LogPage finished(Entry entry) {
    return entry.page.isDone() && !entry.page.isCompletedExceptionally() ? entry.page.join() : null;
  }

  private synchronized void readAhead(Entry current, Position next) {
    Entry last = entries.peekLast();
    if (last != null && last.after.equals(current.after)) {
      load(next);
    }
  }

  /** At the end of the log a page is out of date as soon as it was read. */
  private synchronized void forget() {
    entries.clear();
  }

  private Entry load(Position after) {
    Entry last = entries.peekLast();
    if (last != null && last.after.isAfter(after)) {
      // A straggler, behind the pages that are kept: it reads for itself alone.
      return new Entry(after, start(after));
    }
    Entry entry = new Entry(after, start(after));
    entries.add(entry);
    if (entries.size() > KEPT_PAGES) {
      entries.remove();
    }
    return entry;
  }

  private CompletableFuture<LogPage> start(Position after) {
    CompletableFuture<LogPage> page = new CompletableFuture<>();
    Thread.ofVirtual()
        .name("sluice-read-" + subscription.name())
        .start(
            () -> {
              try {
                page.complete(readPage(after));
              } catch (Throwable e) {
                page.completeExceptionally(e);
              }
            });
    return page;
  }

  private LogPage readPage(Position after) {
    StreamId stream = subscription.stream().orElse(null);
    return limit.read(
        count ->
            stream == null
                ? storage.globalLog().read(after, subscription.filter(), count)
                : readStream(stream, after, count));
  }

  /** By its stream, which is quicker than all of its category. */
  private LogPage readStream(StreamId stream, Position after, int count) {
    Position head = storage.globalLog().status().head();
    long version = versionAt(stream, after, Math.min(MAX_LOOK, count));
    List<RecordedEvent> page =
        storage.eventStore().read(stream, StreamRange.forwards(version + 1, count));
    // A stream shows events that the log still hides behind an open append; they wait here, too.
    List<RecordedEvent> events =
        page.stream()
            .filter(event -> !event.position().isAfter(head))
            .filter(subscription::matches)
            .toList();
    boolean more = page.size() == count && !page.getLast().position().isAfter(head);
    Position next = more ? page.getLast().position() : Position.max(after, head);
    seen =
        new Seen(
            next,
            page.stream()
                .filter(event -> !event.position().isAfter(next))
                .mapToLong(RecordedEvent::version)
                .max()
                .orElse(version));
    return new LogPage(events, next, more);
  }

  private long versionAt(StreamId stream, Position after, int count) {
    if (after.equals(Position.START)) {
      return 0;
    }
    Seen last = seen;
    if (last != null && last.position.equals(after)) {
      return last.version;
    }
    for (long from = Long.MAX_VALUE; from >= 1; ) {
      List<RecordedEvent> page =
          storage.eventStore().read(stream, StreamRange.backwards(from, count));
      for (RecordedEvent event : page) {
        if (!event.position().isAfter(after)) {
          return event.version();
        }
      }
      if (page.isEmpty()) {
        break;
      }
      from = page.getLast().version() - 1;
    }
    return 0;
  }

  private LogPage join(Entry entry) {
    try {
      return entry.page.join();
    } catch (CompletionException e) {
      synchronized (this) {
        entries.remove(entry);
      }
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }
}
