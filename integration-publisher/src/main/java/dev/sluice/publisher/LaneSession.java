package dev.sluice.publisher;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.MessageRefusedException;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import dev.sluice.core.outbox.TypeNotPublishedException;
import dev.sluice.publisher.LaneState.Anchor;
import dev.sluice.publisher.LaneState.Attempt;
import dev.sluice.publisher.LaneState.Parked;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A lane from its opening until it is lost: reads the outbox, publishes, and moves its position.
 *
 * <p>Position and state change only after the call that made the broker record them has returned;
 * they may run ahead of the broker only over messages that this lane doesn't publish. Any exception
 * but a refusal ends the session, and the next one starts from what the broker then has. Used by
 * one thread.
 */
final class LaneSession {
  private static final Logger log = LoggerFactory.getLogger(LaneSession.class);

  /** How often commands are read and the checkpoint, which pruning goes by, is saved. */
  private static final Duration HOUSEKEEPING = Duration.ofSeconds(1);

  private static final Duration ANCHOR_CHECK = Duration.ofSeconds(10);

  /** How many messages are removed at a time: so few that no message waits noticeably. */
  private static final int PRUNE = 500;

  private static final String GONE =
      "it is no longer in the outbox where it was; was the store restored, or the outbox emptied by"
          + " hand? Resume goes on with what is behind it; see also RelayControl.restart";

  private final RelaySettings settings;
  private final int lane;
  private final String name;
  private final long token;
  private final MessagePublisher.Lane broker;
  private final OutboxReader reader;

  private Position position = Position.START;
  private LaneState state;
  private boolean unrecorded;
  private boolean works;

  /** What the session before failed of, until this one has done better. */
  private Optional<String> trouble;

  private boolean prunesMore;
  private boolean pruningFailed;
  private Position prunable = Position.START;
  private @Nullable Checkpoint checkpoint;
  private long nextHousekeeping = System.nanoTime();
  private long nextAnchorCheck = System.nanoTime() + ANCHOR_CHECK.toNanos();
  private long notBefore = System.nanoTime();
  private Duration idle;

  LaneSession(
      RelaySettings settings,
      int lane,
      long token,
      MessagePublisher.Lane broker,
      Executor readAhead,
      @Nullable String trouble) {
    this.settings = settings;
    this.lane = lane;
    this.name = "lane " + lane + " of relay " + settings.name();
    this.token = token;
    this.broker = broker;
    this.reader = new OutboxReader(settings, readAhead);
    this.idle = settings.minPoll();
    this.trouble = Optional.ofNullable(trouble);
    this.state = LaneState.initial(settings.lanes());
  }

  LaneState state() {
    return state;
  }

  Position position() {
    return position;
  }

  /**
   * Finds out where the lane is.
   *
   * @throws OutOfStepException if the broker's progress and the outbox don't fit together
   */
  void begin() {
    checkpoint = settings.checkpoints().load(settings.checkpointName(lane)).orElse(null);
    LaneReport report = checkpoint == null ? null : LaneReport.of(checkpoint);
    try {
      adopt(broker.progress(), report);
    } catch (OutOfStepException e) {
      // What the broker has forgotten: how many lanes there are, and what was decided before.
      LaneState known = report == null ? state : report.state().orElse(state);
      LaneState layout = known.generation() < state.generation() ? state : known;
      state = layout.withApplied(Math.max(known.applied(), state.applied()));
      Optional<ControlLog.Command> restart = settings.control().restart(lane, state.applied());
      if (restart.isEmpty()) {
        throw e;
      }
      restart(restart.get());
    }
    saveCheckpoint();
    String guard = settings.restartGuard(lane);
    if (settings.checkpoints().load(guard).isPresent()) {
      // Of a session that ended while it began its checkpoint anew.
      settings.checkpoints().delete(guard);
    }
  }

  private void adopt(Optional<Progress> progress, @Nullable LaneReport report) {
    String checkpointName = settings.checkpointName(lane);
    if (progress.isEmpty()) {
      if (report != null && report.state().isPresent()) {
        throw new OutOfStepException(
            name
                + ": the broker has no progress, but checkpoint "
                + checkpointName
                + " says that the lane had come to "
                + report.position()
                + ". The progress topic was wiped, or this is another broker. Find out what"
                + " consumers have, then decide with RelayControl.restart");
      }
      state = firstState();
      // In this order: pruning goes by the checkpoints from before the first message is read, and
      // only a checkpoint with a state says that the broker must have a progress.
      if (report == null) {
        save(Checkpoint.first(checkpointName, Position.START, Payload.EMPTY, token));
      }
      if (lane == 0) {
        guardOtherLanes();
      }
      record(List.of(), position, state);
      return;
    }
    position = progress.get().position();
    state = LaneState.parse(progress.get().state());
    if (state.nextLanes() > 0) {
      // The checkpoint of a lane that is no more went when the change was complete.
      throw new LaneSealedException(
          report != null,
          name
              + " is sealed: the relay is being changed to "
              + state.nextLanes()
              + " lanes; if that was interrupted, call Relay.changeLanes again");
    }
    prunable = state.prunable();
    if (report != null && isAhead(report)) {
      throw new OutOfStepException(
          name
              + ": the broker's progress is "
              + position
              + ", but checkpoint "
              + checkpointName
              + " says that the lane had come to "
              + report.position()
              + ". The progress topic was truncated or restored, or, without transactions, set back"
              + " by an owner that had been paused. Find out what consumers have, then decide with"
              + " RelayControl.restart");
    }
    checkAnchor();
    if (report == null) {
      save(Checkpoint.first(checkpointName, prunable, Payload.EMPTY, token));
    } else if (report.position().isAfter(position)) {
      replaceCheckpoint();
    }
  }

  /** Whether the broker has lost what was in its progress when the checkpoint was saved. */
  private boolean isAhead(LaneReport report) {
    int known = report.state().map(LaneState::generation).orElse(0);
    if (known != state.generation()) {
      return known > state.generation();
    }
    // A lane that was restarted may have ended before it replaced its checkpoint.
    return report.position().isAfter(position) && report.applied() >= state.applied();
  }

  /**
   * Keeps pruning away from what the other lanes have to publish: they may begin long after this
   * one.
   */
  private void guardOtherLanes() {
    String prefix = RelaySettings.lanePrefix(settings.outbox(), settings.name());
    for (Checkpoint other : settings.checkpoints().list(prefix)) {
      // Left by a start with more lanes that came to here only.
      if (Integer.parseInt(other.name().substring(prefix.length())) >= state.lanes()
          && LaneReport.of(other).state().isEmpty()) {
        settings.checkpoints().delete(other.name());
      }
    }
    for (int other = 1; other < state.lanes(); other++) {
      String checkpointName = settings.checkpointName(other);
      if (settings.checkpoints().load(checkpointName).isEmpty()) {
        settings
            .checkpoints()
            .save(Checkpoint.first(checkpointName, Position.START, Payload.EMPTY, 0));
      }
    }
  }

  /**
   * The state of a lane that never ran. Lane 0 says how many lanes there are; the others go by it,
   * lest processes with different settings publish the same keys. What was decided about a relay of
   * this name before is nothing to it.
   */
  private LaneState firstState() {
    long decided = settings.control().last();
    if (lane == 0) {
      return state.withApplied(decided);
    }
    LaneState zero =
        settings
            .checkpoints()
            .load(settings.checkpointName(0))
            .flatMap(saved -> LaneReport.of(saved).state())
            .orElseThrow(() -> new LaneSealedException(false, name + " waits for lane 0 to begin"));
    if (zero.generation() > 1 || lane >= zero.lanes()) {
      throw new LaneSealedException(
          false,
          name
              + " is not in use: the relay has "
              + zero.lanes()
              + " lanes; change that with Relay.changeLanes, not with lanes(…)");
    }
    return LaneState.initial(zero.lanes()).withApplied(decided);
  }

  private void checkAnchor() {
    nextAnchorCheck = System.nanoTime() + ANCHOR_CHECK.toNanos();
    Anchor anchor = state.anchor();
    if (anchor != null) {
      AnchoredRead.behind(settings, position, anchor, 0);
    }
  }

  /**
   * Does the next piece of work.
   *
   * @return how long to wait before the next one; zero if there may be more
   */
  Duration step() {
    long now = System.nanoTime();
    if (now - nextHousekeeping >= 0) {
      nextHousekeeping = now + HOUSEKEEPING.toNanos();
      housekeeping();
    }
    if (state.stopped() != null) {
      works();
      return HOUSEKEEPING;
    }
    if (now - notBefore < 0) {
      return Duration.ofNanos(notBefore - now);
    }
    for (Parked parked : state.parked()) {
      if (parked.resuming()) {
        drain(parked);
        return Duration.ZERO;
      }
    }
    List<OutboxMessage> page = reader.read(position, state.anchor());
    if (page.isEmpty()) {
      works();
      if (prunesMore) {
        prune();
        return Duration.ZERO;
      }
      if (now - nextAnchorCheck >= 0) {
        checkAnchor();
      }
      idle = min(idle.multipliedBy(2), settings.maxPoll());
      return idle;
    }
    idle = settings.minPoll();
    return publish(page);
  }

  private void works() {
    works = true;
    trouble = Optional.empty();
  }

  /** Whether it has published something, or found that there is nothing to publish. */
  boolean isAtWork() {
    return works;
  }

  /** The session ends without a failure. */
  void end() {
    if (unrecorded) {
      record(List.of(), position, state);
    }
    saveCheckpoint();
  }

  private void housekeeping() {
    for (ControlLog.Command command : settings.control().after(state.applied())) {
      apply(command);
    }
    if (unrecorded) {
      record(List.of(), position, state);
    }
    saveCheckpoint();
    if (lane == 0 && settings.prunes()) {
      prune();
    }
  }

  /** A little each second, and more while there is nothing to publish. */
  private void prune() {
    try {
      prunesMore = settings.outbox().prune(PRUNE) == PRUNE;
      pruningFailed = false;
    } catch (RuntimeException e) {
      // No reason not to publish. Once, not every second.
      prunesMore = false;
      if (!pruningFailed) {
        pruningFailed = true;
        log.warn("{}: the outbox can't be pruned: {}", name, e.getMessage());
      }
    }
  }

  private Duration publish(List<OutboxMessage> page) {
    List<OutboxMessage> selection = new ArrayList<>(page.size());
    LaneState next = state;
    for (OutboxMessage message : page) {
      if (!isMine(message)) {
        continue;
      }
      String key = message.message().key();
      if (state.parked(key).isPresent()) {
        next = next.mapParked(key, Parked::oneMore);
      } else {
        selection.add(message);
      }
    }
    next = next.withAnchor(anchor(page, page.size()));
    Position reached = page.get(page.size() - 1).position();
    if (selection.isEmpty()) {
      position = reached;
      state = next;
      unrecorded = true;
      return Duration.ZERO;
    }
    try {
      record(selection, reached, next.withAttempt(null));
      return Duration.ZERO;
    } catch (MessageRefusedException e) {
      return refused(page, selection, e);
    }
  }

  private boolean isMine(OutboxMessage message) {
    String key = message.message().key();
    if (Lanes.of(key, state.lanes()) != lane) {
      return false;
    }
    List<Position> former = state.former();
    // Before the number of lanes was changed, another lane has published the key up to there.
    return former.isEmpty() || message.position().isAfter(former.get(Lanes.of(key, former.size())));
  }

  /** The anchor after the first {@code count} messages of a page. */
  private @Nullable Anchor anchor(List<OutboxMessage> page, int count) {
    if (count == 0) {
      return state.anchor();
    }
    Position previous = count == 1 ? position : page.get(count - 2).position();
    return new Anchor(page.get(count - 1).message().id(), previous);
  }

  /** Publishes what stands before a refused message, and deals with that one. */
  private Duration refused(
      List<OutboxMessage> page, List<OutboxMessage> selection, MessageRefusedException refusal) {
    while (true) {
      OutboxMessage refused = refusal.refused();
      int index = page.indexOf(refused);
      int selected = selection.indexOf(refused);
      List<OutboxMessage> before = selection.subList(0, selected);
      Position reached = index == 0 ? position : page.get(index - 1).position();
      LaneState next = withheldBefore(page, index).withAnchor(anchor(page, index));
      Attempt former = state.attempt();
      UUID id = refused.message().id();
      int attempts = 1 + (former != null && former.id().equals(id) ? former.count() : 0);
      String reason = String.valueOf(refusal.getMessage());
      try {
        if (refusal instanceof TypeNotPublishedException) {
          if (index > 0) {
            record(before, reached, next.withAttempt(null));
          }
          break;
        }
        if (attempts < settings.maxAttempts()) {
          log.warn("{}: attempt {}: {}", name, attempts, reason);
          record(before, reached, next.withAttempt(new Attempt(id, attempts)));
          Duration pause = settings.backoff(attempts);
          notBefore = System.nanoTime() + pause.toNanos();
          return pause;
        }
        RefusedMessage entry = RefusedMessage.of(refused, reason, attempts);
        if (settings.poison() == PoisonPolicy.PARK_KEY
            && next.parked().size() < settings.maxParkedKeys()) {
          List<Parked> parked = new ArrayList<>(next.parked());
          parked.add(new Parked(entry, reached, 1, false));
          record(
              before,
              refused.position(),
              next.withParked(parked).withAttempt(null).withAnchor(anchor(page, index + 1)));
          log.error(
              "{}: parked key {} after {} attempts; decide with RelayControl: {}",
              name,
              entry.key(),
              attempts,
              reason);
        } else {
          record(before, reached, next.withStopped(entry).withAttempt(null));
          log.error(
              "{}: stopped after {} attempts{}; decide with RelayControl: {}",
              name,
              attempts,
              next.parked().isEmpty() ? "" : ", " + next.parked().size() + " keys are parked",
              reason);
        }
        // Whoever decides at once must find it in the store.
        nextHousekeeping = System.nanoTime();
        return Duration.ZERO;
      } catch (MessageRefusedException e) {
        // The broker doesn't name the first one always. The part before it is shorter every time.
        refusal = e;
        selection = before;
      }
    }
    // Nothing is decided about what others may publish.
    throw refusal;
  }

  private LaneState withheldBefore(List<OutboxMessage> page, int end) {
    LaneState next = state;
    for (OutboxMessage message : page.subList(0, end)) {
      if (isMine(message)) {
        next = next.mapParked(message.message().key(), Parked::oneMore);
      }
    }
    return next;
  }

  /** Publishes a page of what was held back of a key, up to the lane's position. */
  private void drain(Parked parked) {
    List<OutboxMessage> page = reader.read(parked.after());
    List<OutboxMessage> selection = new ArrayList<>();
    Position reached = parked.after();
    boolean done = page.isEmpty();
    for (OutboxMessage message : page) {
      if (message.position().isAfter(position)) {
        done = true;
        break;
      }
      reached = message.position();
      if (message.message().key().equals(parked.key())) {
        selection.add(message);
      }
    }
    done |= reached.equals(position);
    TypeNotPublishedException notHere = null;
    while (true) {
      Parked rest =
          new Parked(
              parked.refusal(),
              reached,
              Math.max(0, parked.withheld() - selection.size()),
              parked.resuming());
      try {
        record(
            selection,
            position,
            done ? state.withoutParked(parked.key()) : state.mapParked(parked.key(), p -> rest));
        if (done) {
          log.info("{}: key {} is no longer parked", name, parked.key());
        }
        break;
      } catch (MessageRefusedException e) {
        OutboxMessage refused = e.refused();
        String reason = String.valueOf(e.getMessage());
        selection = selection.subList(0, selection.indexOf(refused));
        int index = page.indexOf(refused);
        reached = index == 0 ? parked.after() : page.get(index - 1).position();
        done = false;
        if (e instanceof TypeNotPublishedException others) {
          notHere = others;
        } else {
          notHere = null;
          parked =
              new Parked(
                  RefusedMessage.of(refused, reason, 1), parked.after(), parked.withheld(), false);
          log.error("{}: key {} stays parked: {}", name, parked.key(), reason);
        }
      }
    }
    if (notHere != null) {
      throw notHere;
    }
  }

  private void apply(ControlLog.Command command) {
    LaneState seen = state.withApplied(command.number());
    if (command.action() == ControlLog.Action.RESTART) {
      if (command.lane() == lane) {
        restart(command);
      } else {
        state = seen;
      }
      return;
    }
    if (command.action() == ControlLog.Action.LANES) {
      // Also a lane that has nothing to publish must notice, or it would wait for ever for keys
      // that are no longer its own.
      record(List.of(), position, seen);
      throw new LaneSealedException(false, name + ": the number of lanes changes");
    }
    RefusedMessage stopped = state.stopped();
    // What is being resumed was decided already; the first decision counts.
    Optional<Parked> parked =
        state.parked().stream()
            .filter(p -> p.refusal().id().equals(command.id()) && !p.resuming())
            .findFirst();
    if (stopped != null && stopped.id().equals(command.id())) {
      log.warn("{}: {}", name, command);
      unstop(command, stopped, seen.withStopped(null).withAttempt(null));
    } else if (parked.isPresent()) {
      log.warn("{}: {}", name, command);
      unpark(command, parked.get(), seen);
    } else {
      // Not a message of this lane, or one that was dealt with before.
      state = seen;
    }
  }

  /** Whatever becomes of it, the decision counts as seen: one that failed would do so for ever. */
  private void unstop(ControlLog.Command command, RefusedMessage stopped, LaneState next) {
    if (command.action() == ControlLog.Action.RESUME) {
      record(List.of(), position, next);
      return;
    }
    Optional<OutboxMessage> found = refusedAfter(position, stopped.id());
    if (found.isEmpty()) {
      record(List.of(), position, next.withStopped(stillRefused(stopped, GONE)));
      return;
    }
    OutboxMessage original = found.get();
    LaneState past = next.withAnchor(new Anchor(stopped.id(), position));
    try {
      record(substitute(command, original), original.position(), past);
    } catch (MessageRefusedException e) {
      record(
          List.of(),
          position,
          next.withStopped(stillRefused(stopped, String.valueOf(e.getMessage()))));
    }
  }

  private void unpark(ControlLog.Command command, Parked parked, LaneState next) {
    if (command.action() == ControlLog.Action.RESUME) {
      record(List.of(), position, resuming(next, parked, parked.after(), parked.withheld()));
      return;
    }
    Optional<OutboxMessage> found = refusedAfter(parked.after(), parked.refusal().id());
    if (found.isEmpty()) {
      stayParked(parked, GONE, next);
      return;
    }
    OutboxMessage original = found.get();
    try {
      record(
          substitute(command, original),
          position,
          resuming(next, parked, original.position(), parked.withheld() - 1));
    } catch (MessageRefusedException e) {
      stayParked(parked, String.valueOf(e.getMessage()), next);
    }
  }

  private void stayParked(Parked parked, String reason, LaneState next) {
    RefusedMessage again = stillRefused(parked.refusal(), reason);
    record(
        List.of(),
        position,
        next.mapParked(
            parked.key(), p -> new Parked(again, p.after(), p.withheld(), p.resuming())));
  }

  private RefusedMessage stillRefused(RefusedMessage refused, String reason) {
    log.error("{}: message {} still waits for a decision: {}", name, refused.id(), reason);
    return refused.again(reason);
  }

  private static LaneState resuming(LaneState state, Parked parked, Position after, long withheld) {
    return state.mapParked(
        parked.key(), p -> new Parked(parked.refusal(), after, Math.max(0, withheld), true));
  }

  private Optional<OutboxMessage> refusedAfter(Position previous, UUID id) {
    return settings.outbox().read(previous, 1).stream()
        .filter(found -> found.message().id().equals(id))
        .findFirst();
  }

  /** What to publish instead of a refused message; nothing if it is skipped. */
  private static List<OutboxMessage> substitute(
      ControlLog.Command command, OutboxMessage original) {
    if (command.action() == ControlLog.Action.SKIP) {
      return List.of();
    }
    IntegrationMessage message = original.message();
    return List.of(
        new OutboxMessage(
            original.position(),
            new IntegrationMessage(
                message.id(),
                command.type(),
                message.key(),
                message.subject(),
                message.time(),
                Payload.ofUtf8(command.data()),
                message.correlationId(),
                message.causationId())));
  }

  private void restart(ControlLog.Command command) {
    log.warn("{}: {}", name, command);
    // Before the checkpoint is touched: a lane that the broker and the store know nothing of begins
    // anew, from the first message.
    record(List.of(), command.position(), state.restarted(command.number()));
    replaceCheckpoint();
    idle = settings.minPoll();
    saveCheckpoint();
  }

  /** A checkpoint never goes backwards, so a new one is begun. */
  private void replaceCheckpoint() {
    String guard = settings.restartGuard(lane);
    settings.keepOutbox(guard);
    settings.checkpoints().delete(settings.checkpointName(lane));
    save(Checkpoint.first(settings.checkpointName(lane), prunable, Payload.EMPTY, token));
    settings.checkpoints().delete(guard);
  }

  private void record(List<OutboxMessage> messages, Position reached, LaneState next) {
    broker.publish(messages, new Progress(reached, next.format()));
    position = reached;
    state = next;
    prunable = next.prunable();
    unrecorded = false;
    if (!messages.isEmpty()) {
      works();
    }
    settings.meters().published(lane, messages.size());
  }

  private void saveCheckpoint() {
    Checkpoint saved = checkpoint;
    if (saved == null) {
      throw new IllegalStateException(name + " has no checkpoint yet");
    }
    // What was pruned once can't be kept any more, so never behind the saved one.
    Position to = Position.max(saved.position(), prunable);
    Payload report = new LaneReport(position, Optional.of(state), trouble).toPayload();
    if (!to.equals(saved.position()) || !report.equals(saved.state())) {
      save(saved.next(to, report, token));
    }
  }

  private void save(Checkpoint next) {
    settings.checkpoints().save(next);
    checkpoint = next;
  }

  private static Duration min(Duration a, Duration b) {
    return a.compareTo(b) <= 0 ? a : b;
  }
}
