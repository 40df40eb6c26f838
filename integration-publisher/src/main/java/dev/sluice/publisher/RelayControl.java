package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.LaneStatus.ParkedKey;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Looks at a relay and decides about its refused messages, from any process that reaches the store.
 * A decision is kept with who made it and why, and carried out by the lane's owner within about a
 * second.
 *
 * <p>Safe for use by any number of threads and processes.
 */
public final class RelayControl {
  private static final int MAX_DATA = 64 * 1024;

  /** So many messages are looked at to tell the backlog of a lane exactly. */
  private static final int SAMPLE = 100;

  private final String name;
  private final Outbox outbox;
  private final CheckpointStore checkpoints;
  private final LeaseStore leases;
  private final ControlLog log;

  /** For the relay with this name. */
  public RelayControl(String relay, Outbox outbox, CheckpointStore checkpoints, LeaseStore leases) {
    this.name = relay;
    this.outbox = outbox;
    this.checkpoints = checkpoints;
    this.leases = leases;
    this.log = new ControlLog(checkpoints, relay);
  }

  /** How each lane is doing, in order of lanes. A lane that never had an owner is missing. */
  public List<LaneStatus> status() {
    String prefix = RelaySettings.lanePrefix(outbox, name);
    Map<String, Lease> owners =
        leases.list(prefix).stream().collect(Collectors.toMap(Lease::name, Function.identity()));
    List<LaneStatus> all = new ArrayList<>();
    for (Checkpoint checkpoint : checkpoints.list(prefix)) {
      all.add(
          status(
              Integer.parseInt(checkpoint.name().substring(prefix.length())),
              LaneReport.of(checkpoint),
              owners.get(checkpoint.name())));
    }
    all.sort((a, b) -> Integer.compare(a.lane(), b.lane()));
    return all;
  }

  private LaneStatus status(int lane, LaneReport report, @Nullable Lease lease) {
    Optional<RefusedMessage> stoppedBy = report.state().map(LaneState::stopped);
    Condition condition =
        stoppedBy.isPresent()
            ? Condition.STOPPED
            : lease == null
                ? Condition.NO_OWNER
                : report.error().isPresent() ? Condition.FAILING : Condition.RUNNING;
    int lanes = report.state().map(LaneState::lanes).orElse(1);
    List<OutboxMessage> next = outbox.read(report.position(), lanes == 1 ? 1 : SAMPLE);
    long backlog = next.isEmpty() ? 0 : outbox.count(report.position());
    List<OutboxMessage> own = next;
    if (lanes > 1) {
      own = next.stream().filter(m -> Lanes.of(m.message().key(), lanes) == lane).toList();
      backlog = next.size() < SAMPLE ? own.size() : Math.max(own.size(), backlog / lanes);
    }
    return new LaneStatus(
        lane,
        condition,
        Optional.ofNullable(lease).map(Lease::owner),
        report.position(),
        backlog,
        own.isEmpty()
            ? Duration.ZERO
            : Duration.between(own.get(0).message().time(), Instant.now()),
        report.error(),
        stoppedBy,
        report.state().map(LaneState::parked).orElse(List.of()).stream()
            .map(parked -> new ParkedKey(parked.refusal(), parked.withheld()))
            .toList());
  }

  /**
   * Tries a refused message again, and goes on with what waits behind it.
   *
   * @param id of the message that stopped a lane or parked a key; nothing happens for any other
   */
  public void resume(UUID id, String who, String why) {
    decide(ControlLog.Action.RESUME, who, why, id, "", "", -1, Position.START);
  }

  /** Gives a refused message up, and goes on with what waits behind it. */
  public void skip(UUID id, String who, String why) {
    decide(ControlLog.Action.SKIP, who, why, id, "", "", -1, Position.START);
  }

  /**
   * Publishes something else in the place of a refused message, under its id and key, and goes on
   * with what waits behind it.
   *
   * @param type the registered name of the integration event to publish
   * @param json its data, at most 64 KiB
   * @throws IllegalArgumentException if it is no JSON
   */
  public void replace(UUID id, String type, String json, String who, String why) {
    int size = json.getBytes(StandardCharsets.UTF_8).length;
    if (size > MAX_DATA) {
      throw new IllegalArgumentException(
          "a replacement has at most " + MAX_DATA + " bytes, not " + size);
    }
    try {
      JsonText.check(json);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the replacement can't be published: " + e.getMessage());
    }
    decide(ControlLog.Action.REPLACE, who, why, id, type, json, -1, Position.START);
  }

  /**
   * Continues a lane from another position, whatever the broker and the outbox say: after a wiped
   * progress topic, or an outbox that was restored. Messages behind the position are published,
   * again if they were before; those before it never will be, also parked ones.
   *
   * @param position such as {@link Position#START}, the position of the last message that consumers
   *     have, or {@link Outbox#head()}
   */
  public void restart(int lane, Position position, String who, String why) {
    decide(ControlLog.Action.RESTART, who, why, null, "", "", lane, position);
  }

  /**
   * Removes what a relay that will never run again has left in the store: it no longer holds
   * pruning back. Its progress record stays in the broker, so that a relay which takes its name
   * later says that the two sides don't fit together.
   *
   * @throws IllegalStateException if it runs somewhere; stop it there first
   */
  public void forget() {
    String prefix = RelaySettings.lanePrefix(outbox, name);
    leases.list(prefix).stream()
        .findFirst()
        .ifPresent(
            held -> {
              throw new IllegalStateException(
                  "relay '"
                      + name
                      + "' is run by "
                      + held.owner()
                      + "; stop it everywhere before it is forgotten");
            });
    for (Checkpoint checkpoint : checkpoints.list(prefix)) {
      checkpoints.delete(checkpoint.name());
    }
  }

  /** The last 100 decisions, oldest first, as text for people. */
  public List<String> decisions() {
    return log.all().stream().map(command -> command.time() + " " + command).toList();
  }

  private void decide(
      ControlLog.Action action,
      String who,
      String why,
      @Nullable UUID id,
      String type,
      String data,
      int lane,
      Position position) {
    if (who.isBlank() || why.isBlank()) {
      throw new IllegalArgumentException("say who decides, and why: both are kept");
    }
    log.add(
        new ControlLog.Command(0, Instant.now(), who, why, action, id, type, data, lane, position));
  }
}
