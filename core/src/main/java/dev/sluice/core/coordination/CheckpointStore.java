package dev.sluice.core.coordination;

import java.util.List;
import java.util.Optional;

/**
 * Keeps checkpoints. A save is a compare-and-set and is fenced, so that an owner who was replaced
 * without noticing can't overwrite its successor's.
 *
 * <p><b>Threads.</b> Safe for use by any number of threads and processes. Every call blocks. After
 * a {@link dev.sluice.core.StoreUnavailableException} load again to learn whether a save was done.
 */
public interface CheckpointStore {

  /** The checkpoint with this name, if it was ever saved and not deleted. */
  Optional<Checkpoint> load(String name);

  /**
   * Saves a checkpoint, durable on return, if it follows directly what is stored: its revision is
   * one greater (1 where nothing is stored), its token is not lower, and its position does not lie
   * before the stored one.
   *
   * @throws CheckpointConflictException otherwise; nothing was changed
   */
  void save(Checkpoint checkpoint);

  /** All checkpoints whose names start with a prefix, in order of names. */
  List<Checkpoint> list(String prefix);

  /** Forgets a checkpoint, so that its reader starts anew; nothing happens if there is none. */
  void delete(String name);
}
