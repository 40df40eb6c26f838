package dev.sluice.publisher;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Outbox;
import java.time.Duration;

/** What the parts of a relay share. */
record RelaySettings(
    String name,
    String owner,
    Outbox outbox,
    CheckpointStore checkpoints,
    LeaseStore leases,
    MessagePublisher publisher,
    ControlLog control,
    RelayMeters meters,
    int lanes,
    int maxMessages,
    int maxBytes,
    Duration minPoll,
    Duration maxPoll,
    Duration leaseDuration,
    PoisonPolicy poison,
    int maxAttempts,
    int maxParkedKeys,
    boolean prunes) {

  static final Duration FIRST_BACKOFF = Duration.ofMillis(100);
  static final Duration MAX_BACKOFF = Duration.ofSeconds(5);

  /** What the names of the checkpoints and leases of a relay's lanes begin with. */
  static String lanePrefix(Outbox outbox, String name) {
    return outbox.checkpointPrefix() + name + "/";
  }

  String checkpointName(int lane) {
    return lanePrefix(outbox, name) + lane;
  }

  String leaseName(int lane) {
    return lanePrefix(outbox, name) + lane;
  }

  /** Keeps the outbox while the checkpoint of a lane is begun anew; no relay's name has a colon. */
  String restartGuard(int lane) {
    return restartGuards(outbox, name) + lane;
  }

  /** Keeps the outbox while the checkpoints of all lanes are begun anew. */
  String changeGuard() {
    return changeGuard(outbox, name);
  }

  static String restartGuards(Outbox outbox, String relay) {
    return outbox.checkpointPrefix() + "restart:" + relay + "/";
  }

  static String changeGuard(Outbox outbox, String relay) {
    return outbox.checkpointPrefix() + "change:" + relay;
  }

  /**
   * Keeps the outbox from being pruned until the guard is deleted. One that somebody left who broke
   * off stays as it is: it may be all that keeps the outbox.
   */
  void keepOutbox(String guard) {
    if (checkpoints.load(guard).isEmpty()) {
      checkpoints.save(Checkpoint.first(guard, Position.START, Payload.EMPTY, 0));
    }
  }

  /** The lease of whoever changes the number of lanes; nobody opens a lane meanwhile. */
  String changeName() {
    return "relay-change/" + name;
  }

  String memberPrefix() {
    return "relay-member/" + name + "/";
  }

  /** How long to wait after so many failures in a row. */
  Duration backoff(int failures) {
    Duration pause = FIRST_BACKOFF.multipliedBy(1L << Math.min(failures - 1, 10));
    return pause.compareTo(MAX_BACKOFF) < 0 ? pause : MAX_BACKOFF;
  }
}
