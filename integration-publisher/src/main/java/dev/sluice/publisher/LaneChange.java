package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.outbox.LaneFencedException;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Progress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes the number of lanes without loss, repetition or disorder.
 *
 * <p>First every lane is sealed: its last progress says that it is over, and at which position.
 * Then each new lane begins at the least of those positions, and skips what the former lane of a
 * key had published. Lane 0 is sealed first and begun last: as long as it is sealed, the change is
 * not complete, and whoever calls again completes it.
 */
final class LaneChange {
  private static final Logger log = LoggerFactory.getLogger(LaneChange.class);
  private static final int TRIES = 20;
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration PAUSE = Duration.ofMillis(100);

  private final RelaySettings settings;
  private final Duration leaseDuration;
  private @Nullable Lease lease;

  LaneChange(RelaySettings settings) {
    this.settings = settings;
    // Longer than a lane takes to open.
    this.leaseDuration = settings.leaseDuration().multipliedBy(4);
  }

  /** Where a lane was sealed. */
  private record Sealed(Position position, LaneState state) {}

  /** Returns the number of lanes that there are afterwards. */
  int to(int wanted, String who, String why) {
    lease =
        settings
            .leases()
            .acquire(settings.changeName(), settings.owner(), leaseDuration)
            .orElseThrow(
                () ->
                    new IllegalStateException(
                        "the number of lanes of relay "
                            + settings.name()
                            + " is being changed by another process; try again in "
                            + leaseDuration.toSeconds()
                            + " s"));
    try {
      return change(wanted, who, why);
    } finally {
      Lease held = lease;
      if (held != null) {
        settings.leases().release(held);
      }
    }
  }

  private int change(int wanted, String who, String why) {
    LaneState first = state(read(0));
    refuseUnlessSettled(first);
    if (first.nextLanes() == 0 && first.lanes() == wanted) {
      return wanted;
    }
    int lanes = first.nextLanes() == 0 ? wanted : first.nextLanes();
    if (lanes > first.lanes()) {
      // Before anybody leaves a lane, and before any is sealed: the broker may have no room.
      retried(lanes - 1, broker -> true);
    }
    long decision =
        settings
            .control()
            .add(
                new ControlLog.Command(
                    0,
                    Instant.now(),
                    who,
                    why,
                    ControlLog.Action.LANES,
                    null,
                    "",
                    "",
                    wanted,
                    Position.START));
    awaitOwnersGone();
    // All of them before the first is sealed: what is refused must leave every lane at work.
    for (int lane = 0; lane < first.lanes(); lane++) {
      refuseUnlessReady(lane, read(lane), first.generation());
    }
    Sealed zero = seal(0, lanes, first.generation());
    int generation = zero.state().generation() + 1;
    List<Sealed> sealed = new ArrayList<>(List.of(zero));
    List<Position> former = new ArrayList<>();
    LaneState.Anchor anchor = null;
    Position least = zero.position();
    for (int lane = 1; lane < zero.state().lanes(); lane++) {
      Sealed next = seal(lane, lanes, first.generation());
      if (next.state().generation() == generation) {
        // An earlier call came further, and has left where the lanes were sealed. The lane may have
        // run since, so its anchor is none of the others'.
        former = next.state().former();
        break;
      }
      sealed.add(next);
    }
    if (former.isEmpty()) {
      anchor = zero.state().anchor();
      for (Sealed lane : sealed) {
        former.add(lane.position());
        if (least.isAfter(lane.position())) {
          least = lane.position();
          anchor = lane.state().anchor();
        }
      }
    } else {
      least = former.stream().min(Position::compareTo).orElseThrow();
    }
    begin(generation, lanes, former, least, anchor, decision);
    log.info("relay {} has {} lanes now, it had {}", settings.name(), lanes, former.size());
    return lanes;
  }

  /**
   * Owners see the decision within a second, and take no lane while the change lasts. Not waiting
   * for them would do with transactions only: without, an owner could record over the seal.
   */
  private void awaitOwnersGone() {
    String prefix = RelaySettings.lanePrefix(settings.outbox(), settings.name());
    long deadline = System.nanoTime() + PATIENCE.plus(settings.leaseDuration()).toNanos();
    for (List<Lease> held = settings.leases().list(prefix);
        !held.isEmpty();
        held = settings.leases().list(prefix)) {
      if (System.nanoTime() - deadline > 0) {
        throw new IllegalStateException(
            "the number of lanes of relay "
                + settings.name()
                + " was not changed: "
                + held.get(0).owner()
                + " does not give "
                + held.get(0).name()
                + " back");
      }
      renew();
      LockSupport.parkNanos(PAUSE.toNanos());
      if (Thread.currentThread().isInterrupted()) {
        throw new IllegalStateException("interrupted; the number of lanes was not changed");
      }
    }
  }

  private void begin(
      int generation,
      int lanes,
      List<Position> former,
      Position least,
      LaneState.@Nullable Anchor anchor,
      long applied) {
    LaneState next =
        new LaneState(generation, lanes, 0, former, anchor, null, null, List.of(), applied);
    // A checkpoint goes backwards only if it is deleted first.
    settings.keepOutbox(settings.changeGuard());
    for (int lane = 0; lane < lanes; lane++) {
      settings.checkpoints().delete(settings.checkpointName(lane));
      settings
          .checkpoints()
          .save(
              Checkpoint.first(
                  settings.checkpointName(lane),
                  next.prunable(),
                  new LaneReport(least, Optional.of(next), Optional.empty()).toPayload(),
                  0));
    }
    for (int lane = lanes; lane < former.size(); lane++) {
      settings.checkpoints().delete(settings.checkpointName(lane));
    }
    for (int lane = 0; lane < Math.max(lanes, former.size()); lane++) {
      settings.checkpoints().delete(settings.restartGuard(lane));
    }
    settings.checkpoints().delete(settings.changeGuard());
    for (int lane = lanes - 1; lane >= 0; lane--) {
      retried(
          lane,
          broker -> {
            if (broker.progress().map(p -> state(p).generation()).orElse(0) < generation) {
              broker.publish(List.of(), new Progress(least, next.format()));
            }
            return true;
          });
    }
  }

  private Sealed seal(int lane, int lanes, int generation) {
    return retried(
        lane,
        broker -> {
          Progress progress = progress(lane, broker);
          LaneState state = state(progress);
          if (isOver(state, generation)) {
            return new Sealed(progress.position(), state);
          }
          LaneState sealed = state.sealed(lanes);
          broker.publish(List.of(), new Progress(progress.position(), sealed.format()));
          return new Sealed(progress.position(), sealed);
        });
  }

  private static boolean isOver(LaneState state, int generation) {
    return state.nextLanes() > 0 || state.generation() > generation;
  }

  private Progress read(int lane) {
    return retried(lane, broker -> progress(lane, broker));
  }

  private Progress progress(int lane, MessagePublisher.Lane broker) {
    return broker
        .progress()
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "lane "
                        + lane
                        + " of relay "
                        + settings.name()
                        + " never ran: start the relay with lanes(…), or wait"));
  }

  /**
   * An owner that was about to open the lane when the change began can fence this, at most once or
   * twice: owners open nothing while the lease is held.
   */
  private <T> T retried(int lane, Function<MessagePublisher.Lane, T> work) {
    for (int i = 0; ; i++) {
      renew();
      try (MessagePublisher.Lane broker = settings.publisher().open(settings.name(), lane)) {
        return work.apply(broker);
      } catch (LaneFencedException e) {
        if (i == TRIES) {
          throw e;
        }
      }
    }
  }

  private void renew() {
    Lease held = lease;
    if (held != null) {
      lease = settings.leases().renew(held, leaseDuration);
    }
  }

  private static LaneState state(Progress progress) {
    return LaneState.parse(progress.state());
  }

  private void refuseUnlessSettled(LaneState state) {
    UUID refused =
        state.stopped() != null
            ? state.stopped().id()
            : state.parked().isEmpty() ? null : state.parked().get(0).refusal().id();
    if (refused != null) {
      throw new IllegalStateException(
          "relay "
              + settings.name()
              + " waits for a decision about message "
              + refused
              + ": resume, skip or replace it, then change the number of lanes");
    }
  }

  private void refuseUnlessReady(int lane, Progress progress, int generation) {
    LaneState state = state(progress);
    if (isOver(state, generation)) {
      return;
    }
    refuseUnlessSettled(state);
    for (Position before : state.former()) {
      if (before.isAfter(progress.position())) {
        throw new IllegalStateException(
            "lane "
                + lane
                + " of relay "
                + settings.name()
                + " has not caught up with the last change of the number of lanes yet; wait until"
                + " it is past "
                + before);
      }
    }
  }
}
