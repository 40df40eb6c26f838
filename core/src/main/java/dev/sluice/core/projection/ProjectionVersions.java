package dev.sluice.core.projection;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.Subscriptions;
import java.util.Optional;

/**
 * Which version of a view answers, for all processes: a view is made anew under another name while
 * the old one answers, and takes over once it has caught up. Safe for use by any number of threads.
 */
public final class ProjectionVersions {

  private static final String PREFIX = "projection/";

  private final Storage storage;

  /** For the views of a service. */
  public ProjectionVersions(Storage storage) {
    this.storage = storage;
  }

  /** The version of a view that answers now, if one was ever switched to. One small query. */
  public Optional<String> active(String view) {
    return storage.checkpoints().load(PREFIX + view).map(stored -> stored.state().toUtf8());
  }

  /** Lets a version answer from now on. */
  public void switchTo(String view, String version) {
    CheckpointStore checkpoints = storage.checkpoints();
    String name = PREFIX + view;
    Payload state = Payload.ofUtf8(version);
    while (true) {
      Optional<Checkpoint> stored = checkpoints.load(name);
      try {
        checkpoints.save(
            stored
                .map(last -> last.next(Position.START, state, 0))
                .orElseGet(() -> Checkpoint.first(name, Position.START, state, 0)));
        return;
      } catch (CheckpointConflictException e) {
        // somebody else has switched at the same moment; the last one counts
      }
    }
  }

  /**
   * Makes a view anew: starts the new version's subscription, and switches to it once it has caught
   * up and no stream is parked in it. The old version answers until then, and keeps its
   * subscription; stop that afterwards in each process, and let {@link Subscriptions#forget} forget
   * it.
   *
   * @param view the view's name
   * @param version the name of the new version
   * @param subscription fills the new version, from the beginning
   * @param filter the events that the subscription is about, for the display
   */
  public Rebuild rebuild(
      String view,
      String version,
      Subscriptions subscriptions,
      Subscription subscription,
      EventFilter filter) {
    Rebuild rebuild =
        new Rebuild(storage, subscriptions, subscription, filter, () -> switchTo(view, version));
    rebuild.begin();
    return rebuild;
  }
}
