package dev.sluice.publisher;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.core.Position;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * What a lane knows beside its position. The broker keeps it together with the position, so a lane
 * that is taken over goes on exactly where it was, with its attempts, its stop, and its parked
 * keys.
 *
 * @param generation how often the number of lanes was changed, from 1
 * @param lanes how many lanes there are in this generation
 * @param nextLanes the number of lanes that this lane was sealed for; 0 while it is in use
 * @param former where each lane of the generation before was sealed; empty in the first one
 * @param anchor the message at the lane's position
 * @param attempt a message that was refused, and is tried again
 * @param stopped the message that stopped the lane
 * @param parked the keys that are held back
 * @param applied the number of the last command that was seen
 */
record LaneState(
    int generation,
    int lanes,
    int nextLanes,
    List<Position> former,
    @Nullable Anchor anchor,
    @Nullable Attempt attempt,
    @Nullable RefusedMessage stopped,
    List<Parked> parked,
    long applied) {

  private static final String FORMAT = "sluice-lane 1";

  /**
   * The message at the lane's position. Pruning leaves it in the outbox, so that a lane can tell
   * whether the outbox is still the one that it has read.
   *
   * @param id the message's id
   * @param previous a position before it with nothing in between
   */
  record Anchor(UUID id, Position previous) {}

  /** How often a message was tried. */
  record Attempt(UUID id, int count) {}

  /**
   * A key whose messages are held back.
   *
   * @param refusal the first of them
   * @param after all messages of the key up to here are published or skipped; when nothing is being
   *     resumed, the place right before the refused message
   * @param withheld how many messages of the key the lane has passed
   * @param resuming whether they are being published now
   */
  record Parked(RefusedMessage refusal, Position after, long withheld, boolean resuming) {

    String key() {
      return refusal.key();
    }

    Parked oneMore() {
      return new Parked(refusal, after, withheld + 1, resuming);
    }
  }

  LaneState {
    former = List.copyOf(former);
    parked = List.copyOf(parked);
  }

  static LaneState initial(int lanes) {
    return new LaneState(1, lanes, 0, List.of(), null, null, null, List.of(), 0);
  }

  LaneState withAnchor(@Nullable Anchor anchor) {
    return new LaneState(
        generation, lanes, nextLanes, former, anchor, attempt, stopped, parked, applied);
  }

  LaneState withAttempt(@Nullable Attempt attempt) {
    return new LaneState(
        generation, lanes, nextLanes, former, anchor, attempt, stopped, parked, applied);
  }

  LaneState withStopped(@Nullable RefusedMessage stopped) {
    return new LaneState(
        generation, lanes, nextLanes, former, anchor, attempt, stopped, parked, applied);
  }

  LaneState withParked(List<Parked> parked) {
    return new LaneState(
        generation, lanes, nextLanes, former, anchor, attempt, stopped, parked, applied);
  }

  LaneState withApplied(long applied) {
    return new LaneState(
        generation, lanes, nextLanes, former, anchor, attempt, stopped, parked, applied);
  }

  /** From another position on; what was refused before it no longer counts. */
  LaneState restarted(long applied) {
    return new LaneState(generation, lanes, 0, List.of(), null, null, null, List.of(), applied);
  }

  LaneState sealed(int nextLanes) {
    return new LaneState(
        generation, lanes, nextLanes, former, anchor, attempt, stopped, parked, applied);
  }

  /** Replaces the entry of one key, if it is parked. */
  LaneState mapParked(String key, UnaryOperator<Parked> change) {
    return withParked(
        parked.stream()
            .map(entry -> entry.key().equals(key) ? change.apply(entry) : entry)
            .toList());
  }

  LaneState withoutParked(String key) {
    return withParked(parked.stream().filter(entry -> !entry.key().equals(key)).toList());
  }

  Optional<Parked> parked(String key) {
    return parked.stream().filter(entry -> entry.key().equals(key)).findFirst();
  }

  /** The position up to which nothing in the outbox is needed any more. */
  Position prunable() {
    Position least = anchor == null ? Position.START : anchor.previous();
    for (Parked entry : parked) {
      least = least.isAfter(entry.after()) ? entry.after() : least;
    }
    return least;
  }

  /** The text form: readable for people who look into the progress topic. */
  String format() {
    StringBuilder text = new StringBuilder(FORMAT);
    line(text, "layout", generation, lanes, nextLanes);
    if (!former.isEmpty()) {
      line(text, "former", former.toArray());
    }
    if (anchor != null) {
      line(text, "anchor", anchor.id(), anchor.previous());
    }
    if (attempt != null) {
      line(text, "attempt", attempt.id(), attempt.count());
    }
    if (stopped != null) {
      line(text, "stopped", fields(stopped));
    }
    for (Parked entry : parked) {
      List<Object> fields = new ArrayList<>(List.of(fields(entry.refusal())));
      fields.addAll(List.of(entry.after(), entry.withheld(), entry.resuming()));
      line(text, "parked", fields.toArray());
    }
    line(text, "applied", applied);
    return text.toString();
  }

  private static Object[] fields(RefusedMessage refusal) {
    return new Object[] {
      refusal.id(),
      refusal.type(),
      refusal.key(),
      refusal.position(),
      refusal.reason(),
      refusal.since(),
      refusal.attempts()
    };
  }

  private static void line(StringBuilder text, String name, Object... fields) {
    text.append('\n').append(name);
    for (Object field : fields) {
      text.append(' ').append(URLEncoder.encode(field.toString(), UTF_8));
    }
  }

  /**
   * Reads the text form.
   *
   * @throws IllegalArgumentException if it is not one that this version knows
   */
  static LaneState parse(String text) {
    List<String> lines = text.lines().toList();
    if (lines.isEmpty() || !lines.get(0).equals(FORMAT)) {
      throw new IllegalArgumentException(
          "the state of a lane starts with '" + FORMAT + "'; was it written by a newer version?");
    }
    LaneState state = initial(1);
    List<Parked> parked = new ArrayList<>();
    for (String line : lines.subList(1, lines.size())) {
      String[] field = line.split(" ", -1);
      for (int i = 1; i < field.length; i++) {
        field[i] = URLDecoder.decode(field[i], UTF_8);
      }
      switch (field[0]) {
        case "layout" ->
            state =
                new LaneState(
                    Integer.parseInt(field[1]),
                    Integer.parseInt(field[2]),
                    Integer.parseInt(field[3]),
                    state.former,
                    state.anchor,
                    state.attempt,
                    state.stopped,
                    state.parked,
                    state.applied);
        case "former" -> state = state.withFormer(positions(field));
        case "anchor" ->
            state =
                state.withAnchor(new Anchor(UUID.fromString(field[1]), Position.parse(field[2])));
        case "attempt" ->
            state =
                state.withAttempt(
                    new Attempt(UUID.fromString(field[1]), Integer.parseInt(field[2])));
        case "stopped" -> state = state.withStopped(refusal(field));
        case "parked" ->
            parked.add(
                new Parked(
                    refusal(field),
                    Position.parse(field[8]),
                    Long.parseLong(field[9]),
                    Boolean.parseBoolean(field[10])));
        case "applied" -> state = state.withApplied(Long.parseLong(field[1]));
        default ->
            throw new IllegalArgumentException("the state of a lane has no '" + field[0] + "'");
      }
    }
    return state.withParked(parked);
  }

  private LaneState withFormer(List<Position> former) {
    return new LaneState(
        generation, lanes, nextLanes, former, anchor, attempt, stopped, parked, applied);
  }

  private static List<Position> positions(String[] field) {
    List<Position> positions = new ArrayList<>();
    for (int i = 1; i < field.length; i++) {
      positions.add(Position.parse(field[i]));
    }
    return positions;
  }

  private static RefusedMessage refusal(String[] field) {
    return new RefusedMessage(
        UUID.fromString(field[1]),
        field[2],
        field[3],
        Position.parse(field[4]),
        field[5],
        Instant.parse(field[6]),
        Integer.parseInt(field[7]));
  }
}
