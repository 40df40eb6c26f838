package dev.sluice.core.aggregate;

import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.SnapshotStore;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes and uses snapshots, and never lets one matter: what can't be loaded, read or saved is
 * counted and logged, and the events are used instead. Only an outage is let through: the events
 * couldn't be read either, and that would be waited for once more.
 */
final class Snapshots<S> {

  private static final Logger LOG = LoggerFactory.getLogger(Snapshots.class);

  private final SnapshotStore store;
  private final Serializer serializer;
  private final SnapshotPolicy<S> policy;
  private final LongAdder unusable;

  Snapshots(SnapshotStore store, Serializer serializer, SnapshotPolicy<S> policy) {
    this(store, serializer, policy, new LongAdder());
  }

  private Snapshots(
      SnapshotStore store, Serializer serializer, SnapshotPolicy<S> policy, LongAdder unusable) {
    this.store = store;
    this.serializer = serializer;
    this.policy = policy;
    this.unusable = unusable;
  }

  /** The same, kept elsewhere. */
  Snapshots<S> in(SnapshotStore other) {
    return new Snapshots<>(other, serializer, policy, unusable);
  }

  Optional<Loaded<S>> load(StreamId stream) {
    try {
      return store
          .load(stream, policy.schema())
          .map(
              snapshot ->
                  new Loaded<>(
                      serializer.read(snapshot.state(), policy.stateClass()),
                      snapshot.version(),
                      Position.START));
    } catch (StoreUnavailableException e) {
      throw e;
    } catch (RuntimeException e) {
      countUnusable(stream, e.getMessage());
      return Optional.empty();
    }
  }

  void saveIfDue(StreamId stream, long versionBefore, Loaded<S> after) {
    if (after.version() / policy.every() == versionBefore / policy.every()) {
      return;
    }
    try {
      store.save(
          new Snapshot(stream, policy.schema(), after.version(), serializer.write(after.state())));
    } catch (RuntimeException e) {
      LOG.warn(
          "No snapshot of {} at version {} was taken; all its events stay in use: {}",
          stream,
          after.version(),
          e.getMessage());
    }
  }

  void countUnusable(StreamId stream, @Nullable String reason) {
    unusable.increment();
    LOG.warn(
        "The snapshot '{}' of {} can't be used ({}); its events are read instead. If the state's"
            + " class has changed, change the schema name. So far this happened {} times",
        policy.schema(),
        stream,
        reason,
        unusable.sum());
  }
}
