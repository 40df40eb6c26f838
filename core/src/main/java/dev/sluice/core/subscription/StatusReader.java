package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import dev.sluice.core.store.PageLimit;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.PartitionState.Failing;
import dev.sluice.core.subscription.SubscriptionStatus.State;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Finds out how partitions are doing, all at about the same moment. */
final class StatusReader {

  /** Up to so many events are looked at one by one, where the store can't count exactly. */
  private static final int LOOK = 1_000;

  /** After so many tries a page is of one event. */
  private static final int FEWER_UNTIL_ONE = 7;

  private record Lag(long events, Duration age) {}

  private final Storage storage;
  private final Map<String, Lease> leases;
  private final LogStatus log;
  private final PageLimit limit = new PageLimit(LOOK);

  StatusReader(Storage storage) {
    this.storage = storage;
    this.leases =
        storage.leases().list(Worker.PREFIX).stream()
            .collect(Collectors.toMap(Lease::name, x -> x));
    this.log = storage.globalLog().status();
  }

  /**
   * Reads one.
   *
   * @param here who runs it in this process, if it runs here
   */
  SubscriptionStatus read(Subscription subscription, int index, Optional<Worker> here) {
    String name = Worker.checkpointName(subscription.name(), index);
    Partition partition = new Partition(index, subscription.partitions());
    Optional<Checkpoint> stored = storage.checkpoints().load(name);
    PartitionState state =
        stored
            .map(checkpoint -> PartitionState.decode(name, checkpoint.state()))
            .orElse(PartitionState.initial(subscription.partitions()));
    Position position =
        Position.max(
            stored.map(Checkpoint::position).orElse(Position.START),
            here.map(Worker::position).orElse(Position.START));
    Lag lag = lag(subscription, partition, position);
    Optional<String> owner = Optional.ofNullable(leases.get(name)).map(Lease::owner);
    String trouble = here.map(Worker::trouble).orElse("");
    State now = stateOf(state, owner.isPresent(), !trouble.isEmpty(), lag);
    return new SubscriptionStatus(
        subscription.name(),
        partition,
        now,
        owner,
        position,
        lag.events,
        lag.age,
        detail(now, state, subscription.partitions(), trouble),
        state.parked().values().stream()
            .map(
                parked ->
                    new SubscriptionStatus.Parked(
                        parked.stream(),
                        parked.version(),
                        parked.attempts(),
                        parked.error(),
                        parked.since()))
            .toList(),
        state.decisions());
  }

  private State stateOf(PartitionState state, boolean owned, boolean trouble, Lag lag) {
    if (!owned) {
      return State.NO_OWNER;
    }
    if (trouble) {
      return State.UNAVAILABLE;
    }
    if (state.stopped()) {
      return State.STOPPED;
    }
    if (state.failing().isPresent()) {
      return State.RETRYING;
    }
    // Before what passes by itself: it waits for somebody, also in a busy store.
    if (!state.parked().isEmpty()) {
      return State.PARKED;
    }
    if (lag.events > 0) {
      return State.CATCHING_UP;
    }
    return log.heldBackBy().isPresent() ? State.WAITING_FOR_COMMIT : State.RUNNING;
  }

  private String detail(State now, PartitionState state, int partitions, String trouble) {
    return switch (now) {
      case NO_OWNER ->
          state.partitions() == partitions
              ? ""
              : Worker.otherPartitions(state.partitions(), partitions);
      case UNAVAILABLE -> trouble;
      case STOPPED, RETRYING -> state.failing().map(StatusReader::describe).orElse("");
      case WAITING_FOR_COMMIT ->
          log.heldBackBy().map(open -> open.who() + ", since " + open.since()).orElse("");
      default -> "";
    };
  }

  private Lag lag(Subscription subscription, Partition partition, Position position) {
    if (!log.head().isAfter(position)) {
      return new Lag(0, Duration.ZERO);
    }
    // The store knows neither partitions nor single streams.
    boolean exact = partition.count() == 1 && subscription.stream().isEmpty();
    int most = exact ? 1 : LOOK;
    Instant oldest = Instant.now();
    long own = 0;
    int seen = 0;
    LogPage page;
    Position from = position;
    do {
      page = read(from, subscription.filter(), most - seen);
      for (RecordedEvent event : page.events()) {
        if (partition.contains(event.stream()) && subscription.matches(event)) {
          oldest = own++ == 0 ? event.time() : oldest;
        }
      }
      seen += page.events().size();
      from = page.next();
    } while (page.more() && seen < most);
    long events = seen < most ? own : storage.globalLog().count(position, subscription.filter());
    Duration age = Duration.between(oldest, Instant.now());
    return new Lag(events, events == 0 || age.isNegative() ? Duration.ZERO : age);
  }

  private LogPage read(Position after, EventFilter filter, int most) {
    for (int tries = 0; ; tries++) {
      try {
        return limit.read(count -> storage.globalLog().read(after, filter, Math.min(most, count)));
      } catch (StoreUnavailableException e) {
        // With fewer it may go well, and who asks for the status now has no use for a later answer.
        if (most == 1 || tries == FEWER_UNTIL_ONE) {
          throw e;
        }
      }
    }
  }

  private static String describe(Failing failing) {
    return failing.stream()
        + ", version "
        + failing.version()
        + ", try "
        + failing.attempts()
        + ": "
        + failing.error();
  }
}
