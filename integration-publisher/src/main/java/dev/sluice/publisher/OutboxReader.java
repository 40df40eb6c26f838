package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.outbox.OutboxMessage;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Reads pages of the outbox for one lane, the next one while the last one is being published.
 *
 * <p>A page is bounded in messages and, by the size that messages had lately, in bytes. Used by one
 * thread.
 */
final class OutboxReader {
  private static final int FIRST_LIMIT = 100;

  private final RelaySettings settings;
  private final Executor executor;
  private int limit;
  private @Nullable Position nextAfter;
  private @Nullable CompletableFuture<List<OutboxMessage>> next;

  OutboxReader(RelaySettings settings, Executor executor) {
    this.settings = settings;
    this.executor = executor;
    this.limit = Math.min(FIRST_LIMIT, settings.maxMessages());
  }

  /** The messages behind a position; empty if there are none. */
  List<OutboxMessage> read(Position after) {
    List<OutboxMessage> page = page(after);
    // Only a full page promises that there is more.
    if (page.size() >= limit) {
      limit = nextLimit(page);
      Position last = page.get(page.size() - 1).position();
      int ahead = limit;
      nextAfter = last;
      next = CompletableFuture.supplyAsync(() -> settings.outbox().read(last, ahead), executor);
    }
    return page;
  }

  private List<OutboxMessage> page(Position after) {
    CompletableFuture<List<OutboxMessage>> ahead = next;
    boolean fits = ahead != null && after.equals(nextAfter);
    next = null;
    if (ahead == null || !fits) {
      return settings.outbox().read(after, limit);
    }
    try {
      return ahead.join();
    } catch (CompletionException e) {
      // Failed in the background: fail, or succeed, here.
      return settings.outbox().read(after, limit);
    }
  }

  private int nextLimit(List<OutboxMessage> page) {
    long bytes = 0;
    for (OutboxMessage message : page) {
      bytes += message.message().data().size();
    }
    long each = Math.max(1, bytes / page.size());
    // At most ten times the last: the next messages may be greater than these.
    return (int)
        Math.max(
            1, Math.min(Math.min(settings.maxMessages(), settings.maxBytes() / each), 10L * limit));
  }
}
