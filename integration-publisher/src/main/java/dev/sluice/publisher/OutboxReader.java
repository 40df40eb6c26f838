package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.outbox.OutboxMessage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Reads pages of the outbox for one lane, the next one while the last one is being published.
 *
 * <p>A page is bounded in messages and in bytes. How large messages are is known only once they are
 * read, so at first few are read, then by and by up to a hundred at a time, and fewer once they are
 * seen to be large. Used by one thread.
 */
final class OutboxReader {
  private static final int FIRST_SLICE = 4;
  private static final int MAX_SLICE = 100;

  private final RelaySettings settings;
  private final Executor executor;
  private @Nullable Position nextAfter;
  private @Nullable CompletableFuture<Page> next;

  /** How large the messages of the last slice were; read and written by one thread at a time. */
  private volatile long bytesEach = 1;

  private volatile int slice = FIRST_SLICE;

  private record Page(List<OutboxMessage> messages, boolean more) {}

  OutboxReader(RelaySettings settings, Executor executor) {
    this.settings = settings;
    this.executor = executor;
  }

  /** The messages behind a position; empty if there are none. */
  List<OutboxMessage> read(Position after) {
    Page page = page(after);
    if (page.more()) {
      Position last = page.messages().get(page.messages().size() - 1).position();
      nextAfter = last;
      next = CompletableFuture.supplyAsync(() -> load(last), executor);
    }
    return page.messages();
  }

  private Page page(Position after) {
    CompletableFuture<Page> ahead = next;
    next = null;
    if (ahead == null || !after.equals(nextAfter)) {
      return load(after);
    }
    try {
      return ahead.join();
    } catch (CompletionException e) {
      // Failed in the background: fail, or succeed, here.
      return load(after);
    }
  }

  private Page load(Position after) {
    List<OutboxMessage> page = new ArrayList<>();
    long left = settings.maxBytes();
    Position last = after;
    while (left > 0 && page.size() < settings.maxMessages()) {
      int most = Math.min(slice, settings.maxMessages() - page.size());
      int limit = (int) Math.max(1, Math.min(most, left / bytesEach));
      List<OutboxMessage> found = settings.outbox().read(last, limit);
      page.addAll(found);
      if (found.size() < limit) {
        // Whatever comes next may be larger than all of this.
        slice = FIRST_SLICE;
        return new Page(page, false);
      }
      slice = Math.min(MAX_SLICE, 2 * slice);
      long bytes = 0;
      for (OutboxMessage message : found) {
        bytes += message.message().data().size();
      }
      bytesEach = Math.max(1, bytes / found.size());
      left -= bytes;
      last = found.get(found.size() - 1).position();
    }
    return new Page(page, true);
  }
}
