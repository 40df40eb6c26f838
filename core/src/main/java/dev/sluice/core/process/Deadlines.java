package dev.sluice.core.process;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.PageLimit;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.subscription.Partition;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The deadlines that the processes of one partition wait for. They are part of the processes' own
 * events, so that a new owner finds them there; a mark spares it the events that lie too far back.
 * Used by one thread.
 */
final class Deadlines<E extends DomainEvent, S> {

  private static final Logger LOG = LoggerFactory.getLogger(Deadlines.class);

  private static final int MAX_PAGE = 500;

  /** Between two looks at whether to stop. */
  private static final int REACHED_AT_ONCE = 100;

  private static final Duration BETWEEN_MARKS = Duration.ofMinutes(1);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(250);
  private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
  private static final Duration MAX_PAUSE = Duration.ofMinutes(10);

  /** What is done when one is reached. */
  interface Reached<E extends DomainEvent, S> {

    void handle(RecordedEvent event, int index, ProcessAction.Deadline<E, S> deadline);
  }

  /** One of them, without its event: there may be many, for a long time. */
  private record Pending(
      Instant next, Position position, int index, StreamId stream, long version, int failures) {

    Pending later(Instant now) {
      Duration pause = FIRST_PAUSE.multipliedBy(1L << Math.min(failures, 20));
      return new Pending(
          now.plus(pause.compareTo(MAX_PAUSE) < 0 ? pause : MAX_PAUSE),
          position,
          index,
          stream,
          version,
          failures + 1);
    }
  }

  private final Storage storage;
  private final EventFilter filter;
  private final Partition partition;
  private final String name;
  private final Function<RecordedEvent, List<ProcessAction<E, S>>> actions;
  private final Reached<E, S> reached;
  private final TreeSet<Pending> pending =
      new TreeSet<>(
          Comparator.comparing(Pending::next)
              .thenComparing(Pending::position)
              .thenComparingInt(Pending::index));

  /** How far the log was searched for them; null before the begin. */
  private @Nullable Position searched;

  /** Whether all are known that were set before this owner began. */
  private boolean found;

  private final PageLimit limit = new PageLimit(MAX_PAGE);
  private Instant searchAt = Instant.MIN;
  private Position unreadable = new Position(Long.MAX_VALUE);
  private Instant markAt = Instant.MAX;

  Deadlines(
      Storage storage,
      String category,
      Partition partition,
      Function<RecordedEvent, List<ProcessAction<E, S>>> actions,
      Reached<E, S> reached) {
    this.storage = storage;
    this.filter = EventFilter.categories(category);
    this.partition = partition;
    this.name = "process-deadlines/" + category + "/" + partition.index();
    this.actions = actions;
    this.reached = reached;
  }

  /** Waits for those of an event. More than once is no harm: one that was reached has an id. */
  void add(RecordedEvent event, List<ProcessAction<E, S>> its) {
    int index = 0;
    for (ProcessAction<E, S> action : its) {
      if (action instanceof ProcessAction.Deadline<E, S> deadline) {
        pending.add(
            new Pending(
                deadline.at(), event.position(), index, event.stream(), event.version(), 0));
      }
      index++;
    }
  }

  /** Something has happened that the mark should follow in a while. */
  void moved() {
    if (markAt.equals(Instant.MAX)) {
      markAt = Instant.now().plus(BETWEEN_MARKS);
    }
  }

  Instant nextTime() {
    Instant other = found ? markAt : searchAt;
    return !pending.isEmpty() && pending.first().next().isBefore(other)
        ? pending.first().next()
        : other;
  }

  /**
   * Does a part of what is due; there is more as long as the next time is not behind now.
   *
   * @param passed up to where the events came to this owner or an earlier one
   * @param complete up to where they are dealt with also in parked streams
   */
  void onTime(Instant now, Position passed, Position complete) {
    if (!found && !searchAt.isAfter(now)) {
      search(now, passed);
      return;
    }
    for (int i = 0; i < REACHED_AT_ONCE && isDue(now); i++) {
      Pending due = pending.removeFirst();
      try {
        reach(due);
        moved();
      } catch (StoreUnavailableException e) {
        pending.add(due);
        throw e;
      } catch (RuntimeException e) {
        Pending later = due.later(now);
        pending.add(later);
        LOG.error(
            "A deadline of {}, set by version {}, was reached, but what it leads to failed for the"
                + " {}. time; it is tried again at {}",
            due.stream(),
            due.version(),
            later.failures(),
            later.next(),
            e);
      }
    }
    if (found && !markAt.isAfter(now)) {
      saveMark(complete);
      markAt = Instant.MAX;
    }
  }

  private boolean isDue(Instant now) {
    return !pending.isEmpty() && !pending.first().next().isAfter(now);
  }

  private void reach(Pending due) {
    List<RecordedEvent> events =
        storage.eventStore().read(due.stream(), StreamRange.forwards(due.version(), 1));
    for (RecordedEvent event : events) {
      if (actions.apply(event).get(due.index()) instanceof ProcessAction.Deadline<E, S> deadline) {
        reached.handle(event, due.index(), deadline);
      }
    }
  }

  /** A page at a time, so that neither a stop nor the events have to wait for the whole log. */
  private void search(Instant now, Position passed) {
    Position from =
        searched != null
            ? searched
            : storage.checkpoints().load(name).map(Checkpoint::position).orElse(Position.START);
    LogPage page = limit.read(count -> storage.globalLog().read(from, filter, count));
    for (RecordedEvent event : page.events()) {
      if (partition.contains(event.stream())) {
        searchIn(event);
      }
    }
    searched = page.next();
    if (page.more()) {
      return;
    }
    if (passed.isAfter(page.next())) {
      // An earlier owner has seen further than the log can be read here for now. What it has passed
      // comes to nobody again, so that only this search can find its deadlines.
      searchAt = now.plus(BETWEEN_LOOKS);
      return;
    }
    found = true;
    markAt = now;
  }

  private void searchIn(RecordedEvent event) {
    try {
      add(event, actions.apply(event));
    } catch (RuntimeException e) {
      // It must not hold up the others, and is looked at again by the next owner.
      if (unreadable.isAfter(event.position())) {
        unreadable = event.position();
      }
      LOG.error(
          "Whether {}, version {}, has set deadlines can't be told, so that none of its own is"
              + " waited for here",
          event.stream(),
          event.version(),
          e);
    }
  }

  /**
   * Notes behind which event the next owner has to search. Only to spare it work: deadlines that
   * are found twice have no effect twice. Events of parked streams set theirs when they are dealt
   * with, which may be long after the others; the mark waits for them.
   */
  private void saveMark(Position complete) {
    long before = unreadable.value();
    for (Pending each : pending) {
      before = Math.min(before, each.position().value());
    }
    Position mark = new Position(Math.min(complete.value(), before - 1));
    Optional<Checkpoint> stored = storage.checkpoints().load(name);
    if (stored.isPresent() && !mark.isAfter(stored.get().position())) {
      return;
    }
    try {
      storage
          .checkpoints()
          .save(
              stored
                  .map(last -> last.next(mark, Payload.EMPTY, 0))
                  .orElseGet(() -> Checkpoint.first(name, mark, Payload.EMPTY, 0)));
    } catch (CheckpointConflictException e) {
      // A next owner has noted it already.
    }
  }
}
