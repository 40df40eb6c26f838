package dev.sluice.publisher;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The decisions of people about a relay, with who and why. Any process adds to it; the owner of a
 * lane reads it once a second and carries out what concerns the lane. The last 100 are kept.
 */
final class ControlLog {
  private static final int KEPT = 100;

  /** Far from what a document of a store may hold; the last decision always fits. */
  private static final int MAX_TEXT = 2 * 1024 * 1024;

  private static final int TRIES = 20;

  private final CheckpointStore checkpoints;
  private final String name;

  ControlLog(CheckpointStore checkpoints, String relay) {
    this.checkpoints = checkpoints;
    // Not below relay/: pruning would take it for a lane that never moves.
    this.name = "relay-control/" + relay;
  }

  enum Action {
    RESUME,
    SKIP,
    REPLACE,
    RESTART,
    LANES
  }

  /**
   * One decision.
   *
   * @param number rises from decision to decision, also from those that a restored store has lost:
   *     the broker remembers which were carried out
   * @param id the message that it is about; null for a restart
   * @param type the type of what replaces the message
   * @param data what replaces the message
   * @param lane the lane that is restarted, or the number of lanes; -1 otherwise
   * @param position where it is restarted
   */
  record Command(
      long number,
      Instant time,
      String who,
      String why,
      Action action,
      @Nullable UUID id,
      String type,
      String data,
      int lane,
      Position position) {

    private String format() {
      return List.of(
              number, time, who, why, action, id == null ? "" : id, type, data, lane, position)
          .stream()
          .map(field -> URLEncoder.encode(field.toString(), UTF_8))
          .collect(Collectors.joining(" "));
    }

    private static Command parse(String line) {
      String[] field = line.split(" ", -1);
      for (int i = 0; i < field.length; i++) {
        field[i] = URLDecoder.decode(field[i], UTF_8);
      }
      return new Command(
          Long.parseLong(field[0]),
          Instant.parse(field[1]),
          field[2],
          field[3],
          Action.valueOf(field[4]),
          field[5].isEmpty() ? null : UUID.fromString(field[5]),
          field[6],
          field[7],
          Integer.parseInt(field[8]),
          Position.parse(field[9]));
    }

    private Command numbered(long number) {
      return new Command(number, time, who, why, action, id, type, data, lane, position);
    }

    /** Without the data, which is not for logs. */
    @Override
    public String toString() {
      return "decision "
          + number
          + " by "
          + who
          + ": "
          + action
          + (id == null ? " " + lane : " " + id)
          + (action == Action.RESTART ? " from " + position : "")
          + " ("
          + why
          + ")";
    }
  }

  /** The number of the last decision; 0 if there is none. */
  long last() {
    List<String> lines = lines();
    return lines.isEmpty() ? 0 : numberOf(lines.get(lines.size() - 1));
  }

  private static long numberOf(String line) {
    return Long.parseLong(line, 0, line.indexOf(' '), 10);
  }

  boolean exists() {
    return checkpoints.load(name).isPresent();
  }

  void delete() {
    checkpoints.delete(name);
  }

  List<Command> all() {
    return after(0);
  }

  List<Command> after(long number) {
    // Only what is new is decoded: each lane asks every second.
    return lines().stream().filter(line -> numberOf(line) > number).map(Command::parse).toList();
  }

  private List<String> lines() {
    return checkpoints.load(name).map(ControlLog::linesOf).orElse(List.of());
  }

  private static List<String> linesOf(Checkpoint stored) {
    return stored.state().toUtf8().lines().toList();
  }

  /** The last restart of a lane that was asked for and not carried out. */
  Optional<Command> restart(int lane, long after) {
    return after(after).stream()
        .filter(command -> command.action() == Action.RESTART && command.lane() == lane)
        .reduce((first, second) -> second);
  }

  /** Returns the number that the decision got. */
  long add(Command command) {
    for (int i = 0; ; i++) {
      Optional<Checkpoint> stored = checkpoints.load(name);
      List<String> lines = new ArrayList<>(stored.map(ControlLog::linesOf).orElse(List.of()));
      long last = lines.isEmpty() ? 0 : numberOf(lines.get(lines.size() - 1));
      long number = Math.max(last + 1, System.currentTimeMillis());
      lines.add(command.numbered(number).format());
      long length = lines.stream().mapToLong(String::length).sum();
      while (lines.size() > KEPT || (length > MAX_TEXT && lines.size() > 1)) {
        length -= lines.remove(0).length();
      }
      Payload text = Payload.ofUtf8(String.join("\n", lines));
      try {
        checkpoints.save(
            stored
                .map(s -> s.next(Position.START, text, 0))
                .orElseGet(() -> Checkpoint.first(name, Position.START, text, 0)));
        return number;
      } catch (CheckpointConflictException e) {
        // Somebody else decided at the same moment.
        if (i == TRIES) {
          throw e;
        }
      }
    }
  }
}
