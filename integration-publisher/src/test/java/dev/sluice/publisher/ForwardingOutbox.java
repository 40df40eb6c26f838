package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import java.util.List;
import java.util.function.Supplier;

/** Another outbox, in which a test does something otherwise. */
class ForwardingOutbox implements Outbox {

  private final Supplier<Outbox> other;

  /**
   * Forwards.
   *
   * @param other asked for with each call
   */
  ForwardingOutbox(Supplier<Outbox> other) {
    this.other = other;
  }

  @Override
  public List<OutboxMessage> read(Position after, int limit) {
    return other.get().read(after, limit);
  }

  @Override
  public Position head() {
    return other.get().head();
  }

  @Override
  public long count(Position after) {
    return other.get().count(after);
  }

  @Override
  public int prune(int max) {
    return other.get().prune(max);
  }

  @Override
  public Registration onAppend(Runnable hint) {
    return other.get().onAppend(hint);
  }
}
