package dev.sluice.adapter.inmemory;

import dev.sluice.core.store.AppendResult;
import java.util.concurrent.atomic.AtomicBoolean;

/** An append that is open until a test ends it, once. Safe for use by any number of threads. */
public final class HeldAppend {

  private final Data data;
  private final CommitLog.Open open;
  private final AtomicBoolean ended = new AtomicBoolean();

  HeldAppend(Data data, CommitLog.Open open) {
    this.data = data;
    this.open = open;
  }

  /**
   * Stores the append, if its stream still is as it expects.
   *
   * @throws dev.sluice.core.store.VersionConflictException if somebody else was faster
   * @throws dev.sluice.core.store.DuplicateEventException if an event id was stored meanwhile
   */
  public AppendResult commit() {
    end();
    try {
      return data.log.commit(open);
    } finally {
      data.hints.callAll();
    }
  }

  /** Ends the append without storing anything; also what is left of a writer that died. */
  public void rollBack() {
    end();
    data.log.rollBack(open);
    data.hints.callAll();
  }

  private void end() {
    if (!ended.compareAndSet(false, true)) {
      throw new IllegalStateException("this append has ended already; hold another one");
    }
  }
}
