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
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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
   * @param id of the message that stopped a lane or parked a key
   * @throws IllegalArgumentException if that is none of those that wait for a decision
   */
  public void resume(UUID id, String who, String why) {
    decide(ControlLog.Action.RESUME, who, why, id, "", "", -1, Position.START);
  }

  /**
   * Gives a refused message up, and goes on with what waits behind it.
   *
   * @throws IllegalArgumentException if it is none of those that wait for a decision
   */
  public void skip(UUID id, String who, String why) {
    decide(ControlLog.Action.SKIP, who, why, id, "", "", -1, Position.START);
  }

  /**
   * Publishes something else in the place of a refused message, under its id and key, and goes on
   * with what waits behind it.
   *
   * @param type the registered name of the integration event to publish
   * @param json its data, at most 64 KiB
   * @throws IllegalArgumentException if the message is none of those that wait for a decision, or
   *     the data is no JSON
   */
  public void replace(UUID id, String type, String json, String who, String why) {
    if (type.isBlank()) {
      throw new IllegalArgumentException("say of which type the replacement is");
    }
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
   * @throws IllegalArgumentException if there is no such lane, if the lane has not begun, or if the
   *     outbox ends before the position
   */
  public void restart(int lane, Position position, String who, String why) {
    refuseUnlessBegun(lane);
    Position head = outbox.head();
    if (position.isAfter(head)) {
      throw new IllegalArgumentException(
          "lane "
              + lane
              + " can't continue from "
              + position
              + ": the outbox ends at "
              + head
              + ", and what comes up to there would never be published");
    }
    decide(ControlLog.Action.RESTART, who, why, null, "", "", lane, position);
  }

  /**
   * Removes what a relay that will never run again has left in the store: it no longer holds
   * pruning back. Its progress record stays in the broker, so that a relay which takes its name
   * later says that the two sides don't fit together.
   *
   * @throws IllegalStateException if it runs somewhere; stop it there first
   * @throws IllegalArgumentException if no relay of this name has left anything
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
    List<String> left = left();
    if (left.isEmpty() && !log.exists()) {
      throw unknownRelay();
    }
    left.forEach(checkpoints::delete);
    // Else a relay that takes the name later would carry out what was decided about this one.
    log.delete();
  }

  /** The checkpoints of the lanes, and what keeps the outbox while one of them is begun anew. */
  private List<String> left() {
    List<Checkpoint> left =
        new ArrayList<>(checkpoints.list(RelaySettings.lanePrefix(outbox, name)));
    left.addAll(checkpoints.list(RelaySettings.restartGuards(outbox, name)));
    checkpoints.load(RelaySettings.changeGuard(outbox, name)).ifPresent(left::add);
    return left.stream().map(Checkpoint::name).toList();
  }

  private IllegalArgumentException unknownRelay() {
    String prefix = outbox.checkpointPrefix();
    Set<String> known = new TreeSet<>();
    for (Checkpoint checkpoint : checkpoints.list(prefix)) {
      String relay = checkpoint.name().substring(prefix.length());
      known.add(relay.replaceFirst("^[a-z]+:", "").replaceFirst("/[0-9]+$", ""));
    }
    return new IllegalArgumentException(
        "relay '" + name + "' has left nothing in this store; there are " + known);
  }

  private void refuseUnlessBegun(int lane) {
    String prefix = RelaySettings.lanePrefix(outbox, name);
    Set<Integer> lanes = new TreeSet<>();
    Set<Integer> begun = new TreeSet<>();
    for (Checkpoint checkpoint : checkpoints.list(prefix)) {
      LaneReport report = LaneReport.of(checkpoint);
      int number = Integer.parseInt(checkpoint.name().substring(prefix.length()));
      lanes.add(number);
      if (report.state().isPresent() || report.error().isPresent()) {
        begun.add(number);
      }
      int all = report.state().map(LaneState::lanes).orElse(0);
      IntStream.range(0, all).forEach(lanes::add);
    }
    // Its owner may have found that the two sides don't fit together, and left nothing here.
    for (Lease lease : leases.list(prefix)) {
      begun.add(Integer.parseInt(lease.name().substring(prefix.length())));
    }
    lanes.addAll(begun);
    if (lanes.isEmpty()) {
      throw unknownRelay();
    }
    if (!lanes.contains(lane)) {
      throw new IllegalArgumentException(
          "relay '" + name + "' has no lane " + lane + "; there are " + lanes);
    }
    if (!begun.contains(lane)) {
      throw new IllegalArgumentException(
          "lane " + lane + " of relay '" + name + "' has not begun, so it can't be restarted");
    }
  }

  private void refuseUnlessWaiting(UUID id) {
    List<UUID> waiting =
        checkpoints.list(RelaySettings.lanePrefix(outbox, name)).stream()
            .flatMap(checkpoint -> LaneReport.of(checkpoint).state().stream())
            .flatMap(
                state ->
                    Stream.concat(
                        Stream.ofNullable(state.stopped()),
                        state.parked().stream().map(LaneState.Parked::refusal)))
            .map(RefusedMessage::id)
            .toList();
    if (!waiting.contains(id)) {
      throw new IllegalArgumentException(
          "message "
              + id
              + " doesn't wait for a decision in relay '"
              + name
              + "'; those that do are "
              + waiting);
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
    if (id != null) {
      refuseUnlessWaiting(id);
    }
    log.add(
        new ControlLog.Command(0, Instant.now(), who, why, action, id, type, data, lane, position));
  }
}
