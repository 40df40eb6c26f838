package dev.sluice.adapter.inmemory;

import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Lets a test decide what production leaves to chance: when an append ends, and which reply or
 * checkpoint gets lost. Safe for use by any number of threads.
 *
 * <ul>
 *   <li>A late commit: {@link #hold} an append, let others go, then {@link HeldAppend#commit}.
 *   <li>A hole: hold an append, let others go, then {@link HeldAppend#rollBack}.
 *   <li>A crash between an append and its reply: {@link #loseReplies}.
 *   <li>A crash before the checkpoint, and with it a duplicate delivery: {@link #loseCheckpoints}.
 * </ul>
 */
public final class CommitSchedule {

  private final Data data;
  private final AtomicInteger appendsToFail = new AtomicInteger();
  private final AtomicInteger repliesToLose = new AtomicInteger();
  private final AtomicInteger checkpointsToLose = new AtomicInteger();

  CommitSchedule(Data data) {
    this.data = data;
  }

  /**
   * Begins an append and returns while it is open: its place in the order of all events is taken,
   * but nobody can read it.
   *
   * @throws dev.sluice.core.store.VersionConflictException if it could not be stored now
   * @throws dev.sluice.core.store.DuplicateEventException if an event id is stored already
   */
  public HeldAppend hold(Append append) {
    return new HeldAppend(data, data.log.begin(append));
  }

  /** The next appends fail before they store anything; their caller can't know that. */
  public void failAppends(int times) {
    appendsToFail.set(times);
  }

  /** The next appends are stored, but their caller learns nothing of it. */
  public void loseReplies(int times) {
    repliesToLose.set(times);
  }

  /**
   * The next checkpoints are not saved, as if the process had crashed after the work was done: what
   * lies behind the last saved one will be delivered again.
   */
  public void loseCheckpoints(int times) {
    checkpointsToLose.set(times);
  }

  AppendResult append(Append append) {
    breakIf(appendsToFail, "an append");
    AppendResult result = data.log.commit(data.log.begin(append));
    breakIf(repliesToLose, "the reply to an append");
    return result;
  }

  void beforeCheckpoint() {
    breakIf(checkpointsToLose, "a checkpoint");
  }

  private static void breakIf(AtomicInteger times, String what) {
    if (times.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
      throw new StoreUnavailableException(
          what + " was lost, as the commit schedule says; repeat it", new InterruptedReply());
    }
  }

  private static final class InterruptedReply extends Exception {
    private static final long serialVersionUID = 1L;

    InterruptedReply() {
      super("lost on purpose");
    }
  }
}
