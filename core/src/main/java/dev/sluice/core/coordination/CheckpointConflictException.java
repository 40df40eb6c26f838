package dev.sluice.core.coordination;

import dev.sluice.core.SluiceException;
import java.util.Optional;

/**
 * A checkpoint does not follow what is stored under its name: somebody else has saved one
 * meanwhile, or it would go backwards. Nothing was changed. Whoever gets this for a checkpoint of
 * its own is no longer the owner and must stop.
 */
public class CheckpointConflictException extends SluiceException {

  private static final long serialVersionUID = 1L;

  private final String checkpointName;

  /** The refused checkpoint, and what is stored instead of its predecessor. */
  public CheckpointConflictException(Checkpoint refused, Optional<Checkpoint> stored) {
    super(
        "checkpoint '"
            + refused.name()
            + "' ("
            + describe(refused)
            + ") does not follow what is stored ("
            + stored.map(CheckpointConflictException::describe).orElse("nothing")
            + "); another owner has gone on, load it again before going on here");
    this.checkpointName = refused.name();
  }

  /** The name of the refused checkpoint. */
  public String checkpointName() {
    return checkpointName;
  }

  private static String describe(Checkpoint checkpoint) {
    return checkpoint.position()
        + ", revision "
        + checkpoint.revision()
        + ", token "
        + checkpoint.token();
  }
}
