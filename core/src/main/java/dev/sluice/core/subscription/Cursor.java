package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointStore;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * How far a partition is, and what else its checkpoint says, as its owner has read or saved it
 * last. Used by one thread; only the position may be asked for by others.
 */
final class Cursor {

  private static final Duration LAZY_SAVE = Duration.ofSeconds(1);

  private final CheckpointStore checkpoints;
  private final String name;
  private final LongSupplier token;
  private final Runnable onMove;
  private volatile Position position = Position.START;
  private @Nullable Checkpoint current;
  private PartitionState state;
  private long lastSave = System.nanoTime();

  Cursor(
      CheckpointStore checkpoints,
      String name,
      LongSupplier token,
      PartitionState initial,
      Runnable onMove) {
    this.checkpoints = checkpoints;
    this.name = name;
    this.token = token;
    this.state = initial;
    this.onMove = onMove;
  }

  Optional<Checkpoint> load() {
    return checkpoints.load(name);
  }

  boolean isKnown() {
    return current != null;
  }

  /** Whether a save was done is unknown, or another owner's: it must be loaded again. */
  void forget() {
    current = null;
  }

  /** Up to where events are dealt with. */
  Position position() {
    return position;
  }

  /**
   * Up to where everything is dealt with, also in parked streams.
   *
   * @see TimedHandler#onTime
   */
  Position complete() {
    return state.parked().values().stream()
        .map(parked -> new Position(parked.position().value() - 1))
        .min(Position::compareTo)
        .filter(position::isAfter)
        .orElse(position);
  }

  PartitionState state() {
    return state;
  }

  /** Saves the first checkpoint. */
  void begin(Position start, PartitionState first) {
    Checkpoint checkpoint = Checkpoint.first(name, start, first.encode(), token.getAsLong());
    checkpoints.save(checkpoint);
    accept(checkpoint, first);
  }

  /** What would be saved, for somebody who does it himself and has it accepted then. */
  Checkpoint next(Position to, PartitionState next) {
    if (current == null) {
      throw new IllegalStateException(name + " has no checkpoint");
    }
    return current.next(to, next.encode(), token.getAsLong());
  }

  void save(Position to, PartitionState next) {
    Checkpoint checkpoint = next(to, next);
    checkpoints.save(checkpoint);
    accept(checkpoint, next);
  }

  void save(PartitionState next) {
    save(position, next);
  }

  void accept(Checkpoint checkpoint, PartitionState next) {
    current = checkpoint;
    state = next;
    lastSave = System.nanoTime();
    move(checkpoint.position());
  }

  /** Passes what needs no save of its own. */
  void move(Position to) {
    position = to;
    onMove.run();
  }

  /** How long what was passed may stay unsaved, in nanoseconds; the maximum if nothing is. */
  long untilSave() {
    return current == null || !position.isAfter(current.position())
        ? Long.MAX_VALUE
        : lastSave + LAZY_SAVE.toNanos() - System.nanoTime();
  }
}
