package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.subscription.Commands.Command;
import dev.sluice.core.subscription.PartitionState.Failing;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Does what people decided about the events of one partition. Used by one thread. */
final class Decisions {

  private static final Logger LOG = LoggerFactory.getLogger(Decisions.class);

  private final Commands commands;
  private final Partition partition;
  private final String name;
  private final Cursor cursor;
  private final Delivery delivery;

  Decisions(Commands commands, Partition partition, String name, Cursor cursor, Delivery delivery) {
    this.commands = commands;
    this.partition = partition;
    this.name = name;
    this.cursor = cursor;
    this.delivery = delivery;
  }

  void apply() {
    List<Command> pending = commands.load();
    boolean any = false;
    for (Command command : pending) {
      if (!partition.contains(command.decision().stream())) {
        continue;
      }
      any = true;
      if (command.number() > cursor.state().applied()) {
        apply(command);
      }
    }
    if (any) {
      long applied = cursor.state().applied();
      commands.remove(
          command ->
              command.number() <= applied && partition.contains(command.decision().stream()));
    }
  }

  private void apply(Command command) {
    SubscriptionStatus.Decision decision = command.decision();
    StreamId stream = decision.stream();
    PartitionState noted = cursor.state().withApplied(command.number());
    Position to = cursor.position();
    Failing failing =
        cursor.state().failing().filter(event -> event.stream().equals(stream)).orElse(null);
    Failing parked = cursor.state().parked().get(stream);
    if (failing != null && failing.version() == decision.version()) {
      switch (decision.what()) {
        case Subscriptions.SKIP -> {
          to = failing.position();
          noted = noted.withoutFailing();
        }
        default -> noted = noted.withFailing(failing.resume(command.replacement()));
      }
      delivery.retryNow();
    } else if (parked != null && parked.version() == decision.version()) {
      Failing next =
          decision.what().equals(Subscriptions.SKIP)
              ? parked.next(parked.position())
              : parked.resume(command.replacement());
      noted = noted.park(next);
    } else {
      LOG.warn("{} has nothing to {} at {} any more", name, decision.what(), stream);
      cursor.save(noted);
      return;
    }
    cursor.save(to, noted.decided(decision));
    LOG.warn(
        "{}: {} of {}, version {}, by {}: {}",
        name,
        decision.what(),
        stream,
        decision.version(),
        decision.who(),
        decision.why());
  }
}
