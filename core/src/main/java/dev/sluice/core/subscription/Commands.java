package dev.sluice.core.subscription;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * What people decided about events that could not be dealt with: written by any process, applied
 * and then removed by the owner. A record of its own, because only the owner may write the
 * partition's checkpoint.
 */
final class Commands {

  private static final String PREFIX = "subscription-commands/";

  /** One decision; the number tells the owner whether it has applied it already. */
  record Command(
      long number,
      SubscriptionStatus.Decision decision,
      Optional<PartitionState.Replacement> replacement) {}

  private record Pending(long last, List<Command> commands) {}

  private final CheckpointStore checkpoints;
  private final String name;

  Commands(CheckpointStore checkpoints, String subscription) {
    this.checkpoints = checkpoints;
    this.name = PREFIX + subscription;
  }

  List<Command> load() {
    return checkpoints.load(name).map(stored -> decode(stored.state()).commands).orElse(List.of());
  }

  void add(SubscriptionStatus.Decision decision, Optional<PartitionState.Replacement> replacement) {
    update(
        pending -> {
          List<Command> more = new ArrayList<>(pending.commands);
          more.add(new Command(pending.last + 1, decision, replacement));
          return new Pending(pending.last + 1, more);
        });
  }

  void remove(Predicate<Command> applied) {
    update(
        pending ->
            new Pending(pending.last, pending.commands.stream().filter(applied.negate()).toList()));
  }

  void forget() {
    checkpoints.delete(name);
  }

  private void update(UnaryOperator<Pending> change) {
    for (; ; ) {
      Optional<Checkpoint> stored = checkpoints.load(name);
      Pending before =
          stored.map(checkpoint -> decode(checkpoint.state())).orElse(new Pending(0, List.of()));
      Payload after = encode(change.apply(before));
      try {
        checkpoints.save(
            stored
                .map(checkpoint -> checkpoint.next(Position.START, after, 0))
                .orElseGet(() -> Checkpoint.first(name, Position.START, after, 0)));
        return;
      } catch (CheckpointConflictException e) {
        // somebody else was quicker; look again
      }
    }
  }

  private static Payload encode(Pending pending) {
    Lines lines = new Lines().add("last", pending.last);
    for (Command command : pending.commands) {
      List<String> replacement = PartitionState.Replacement.fields(command.replacement);
      lines.add(
          "command",
          command.number,
          command.decision.what(),
          command.decision.stream(),
          command.decision.version(),
          command.decision.who(),
          command.decision.why(),
          command.decision.at(),
          replacement.getFirst(),
          replacement.getLast());
    }
    return lines.toPayload();
  }

  private Pending decode(Payload payload) {
    long last = 0;
    List<Command> commands = new ArrayList<>();
    for (List<String> line : Lines.parse(name, payload)) {
      if (line.getFirst().equals("last")) {
        last = Long.parseLong(line.get(1));
        continue;
      }
      commands.add(
          new Command(
              Long.parseLong(line.get(1)),
              PartitionState.decision(line, 2),
              PartitionState.Replacement.of(line, 8)));
    }
    return new Pending(last, commands);
  }
}
