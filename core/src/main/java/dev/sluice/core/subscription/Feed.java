package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.store.LogPage;
import java.util.Optional;

/**
 * Where a partition's events come from: pages of the log until it has caught up, then what the
 * process's one reader of the log's end keeps. Used by one thread.
 */
final class Feed implements AutoCloseable {

  private final Subscription subscription;
  private final Partition partition;
  private final Tail tail;
  private final CatchUp catchUp;
  private boolean following;

  Feed(Subscription subscription, Partition partition, Tail tail, CatchUp catchUp) {
    this.subscription = subscription;
    this.partition = partition;
    this.tail = tail;
    this.catchUp = catchUp;
  }

  /** What lies behind a position; empty, and no further than that, if there is nothing yet. */
  LogPage after(Position position) {
    if (following) {
      Optional<LogPage> known =
          tail.after(position, subscription, partition, subscription.batchSize());
      // Not further than this page says, even if the tail has begun behind its end: a tail may have
      // begun where another process has seen the log, and it is not yet readable here up to there.
      return known.isPresent() ? known.get() : catchUp.readNow(position);
    }
    LogPage page = catchUp.read(position);
    if (!page.more()) {
      tail.follow(subscription.filter(), Position.max(position, page.next()));
      following = true;
    }
    return page;
  }

  @Override
  public void close() {
    if (following) {
      tail.unfollow();
    }
  }
}
