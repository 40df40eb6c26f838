package dev.sluice.core.subscription;

import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.RecordedEvent;
import java.util.List;

/**
 * Deals with a batch of events and saves the checkpoint with it, in one commit of its own: so each
 * event takes effect exactly once. For adapters, and for services that bring such a commit.
 *
 * <p>Each partition calls it from one thread at a time; with several partitions it must be safe for
 * use by several threads.
 */
@FunctionalInterface
public interface BatchProcessor {

  /**
   * Deals with all events, in order, and saves the checkpoint, all or nothing. It must be saved by
   * the rules of {@link dev.sluice.core.coordination.CheckpointStore#save}: if these refuse it,
   * another owner has gone on and nothing of the batch may stay.
   *
   * @param events at least one
   * @param next the checkpoint to be saved with them
   * @throws dev.sluice.core.coordination.CheckpointConflictException if the checkpoint is refused
   * @throws dev.sluice.core.StoreUnavailableException if the outcome is unknown; the checkpoint
   *     store is then asked for it
   * @throws RuntimeException any, when nothing of the batch has stayed; its events are then tried
   *     again, one by one, as the failure policy says
   */
  void process(List<RecordedEvent> events, Checkpoint next);
}
