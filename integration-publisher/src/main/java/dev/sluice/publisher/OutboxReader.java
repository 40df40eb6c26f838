package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.publisher.LaneState.Anchor;
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
    return read(after, null);
  }

  /**
   * The messages behind a position; empty if there are none.
   *
   * @param anchor the message at the position
   * @throws OutOfStepException if there are messages, and the anchor isn't there any more
   */
  List<OutboxMessage> read(Position after, @Nullable Anchor anchor) {
    Page page = page(after, anchor);
    if (page.more()) {
      Position last = page.messages().get(page.messages().size() - 1).position();
      Anchor lastOne = anchor(page.messages(), after);
      nextAfter = last;
      next = CompletableFuture.supplyAsync(() -> load(last, lastOne), executor);
    }
    return page.messages();
  }

  private static Anchor anchor(List<OutboxMessage> read, Position after) {
    int last = read.size() - 1;
    Position previous = last == 0 ? after : read.get(last - 1).position();
    return new Anchor(read.get(last).message().id(), previous);
  }

  private Page page(Position after, @Nullable Anchor anchor) {
    CompletableFuture<Page> ahead = next;
    next = null;
    if (ahead == null || !after.equals(nextAfter)) {
      // An idle lane asks often, and some outboxes look at much that gives no message before they
      // come from the anchor to the position.
      Page page = load(after, null);
      if (anchor != null && !page.messages().isEmpty()) {
        AnchoredRead.behind(settings, after, anchor, 0);
      }
      return page;
    }
    try {
      return ahead.join();
    } catch (CompletionException e) {
      // Failed in the background: fail, or succeed, here.
      return load(after, anchor);
    }
  }

  private Page load(Position after, @Nullable Anchor anchor) {
    List<OutboxMessage> page = new ArrayList<>();
    long left = settings.maxBytes();
    Position last = after;
    Anchor lastOne = anchor;
    while (left > 0 && page.size() < settings.maxMessages()) {
      int most = Math.min(slice, settings.maxMessages() - page.size());
      int limit = (int) Math.max(1, Math.min(most, left / bytesEach));
      List<OutboxMessage> found =
          lastOne == null
              ? settings.outbox().read(last, limit)
              : AnchoredRead.behind(settings, last, lastOne, limit);
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
      lastOne = anchor(found, last);
      last = found.get(found.size() - 1).position();
    }
    return new Page(page, true);
  }
}
