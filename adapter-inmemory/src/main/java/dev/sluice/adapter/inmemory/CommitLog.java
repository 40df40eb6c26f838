package dev.sluice.adapter.inmemory;

import dev.sluice.core.Position;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;

/**
 * All events and messages, and the rules by which a commit joins them. Every method holds the one
 * lock, so a commit is all or nothing, and a read sees whole commits.
 *
 * <p>An append has two steps, as in a database where appends run side by side: {@link #begin} draws
 * a commit number, {@link #commit} stores. Commits may therefore end in another order than they
 * drew. Two rules keep the global order exact all the same:
 *
 * <ul>
 *   <li>Readers see only what was drawn before the oldest open append. So nothing can appear behind
 *       a reader's back, and an append that ends, either way, frees everything at once.
 *   <li>A commit whose stream has grown since it drew draws again. So the order of a stream is
 *       contained in the order of all events.
 * </ul>
 */
class CommitLog {

  /** The low bits of a position tell the events of one commit apart, the others count commits. */
  static final int INDEX_BITS = 16;

  /** An append between its two steps. */
  static final class Open {

    final Append append;
    final String who = Thread.currentThread().getName();
    final Instant since;
    long number;
    long tail;

    Open(Append append, Instant since) {
      this.append = append;
      this.since = since;
    }
  }

  final Map<StreamId, List<RecordedEvent>> streams = new HashMap<>();
  final NavigableMap<Long, RecordedEvent> events = new TreeMap<>();
  final NavigableMap<Long, IntegrationMessage> messages = new TreeMap<>();
  final Map<UUID, StoredEvent> stored = new HashMap<>();
  final NavigableMap<Long, Open> open = new TreeMap<>();

  private final Clock clock;
  long lastNumber;
  private long lastPruned;

  CommitLog(Clock clock) {
    this.clock = clock;
  }

  /** The first step. Draws only if the append could be stored now; refuses it otherwise. */
  synchronized Open begin(Append append) {
    Open begun = new Open(append, clock.instant());
    if (repeated(append).isEmpty()) {
      begun.tail = checkedTail(append);
      draw(begun);
    }
    return begun;
  }

  /** The second step. Whatever its outcome, the append is no longer open afterwards. */
  synchronized AppendResult commit(Open begun) {
    try {
      Append append = begun.append;
      Optional<AppendResult> earlier = repeated(append);
      if (earlier.isPresent()) {
        return earlier.get();
      }
      long tail = checkedTail(append);
      if (tail != begun.tail) {
        rollBack(begun);
        draw(begun);
      }
      return store(append, tail, begun.number);
    } finally {
      rollBack(begun);
    }
  }

  /** Ends an append without storing anything. Its number is never used again. */
  synchronized void rollBack(Open begun) {
    open.remove(begun.number, begun);
  }

  void draw(Open begun) {
    begun.number = ++lastNumber;
    open.put(begun.number, begun);
  }

  Optional<AppendResult> repeated(Append append) {
    return append.repeatOf(
        append.ids().stream().map(stored::get).filter(Objects::nonNull).toList());
  }

  long checkedTail(Append append) {
    long tail = stream(append.stream()).size();
    if (!append.expected().isMetBy(tail)) {
      throw append.conflict(tail);
    }
    return tail;
  }

  AppendResult store(Append append, long tail, long number) {
    List<RecordedEvent> stream = streams.computeIfAbsent(append.stream(), id -> new ArrayList<>());
    long position = number << INDEX_BITS;
    long messagePosition = position;
    for (NewEvent event : append.events()) {
      RecordedEvent recorded = record(event, append.stream(), stream.size() + 1L, position);
      stream.add(recorded);
      events.put(position, recorded);
      stored.put(
          event.id(),
          new StoredEvent(event.id(), append.stream(), recorded.version(), recorded.position()));
      for (IntegrationMessage message : event.messages()) {
        messages.put(messagePosition++, message);
      }
      position++;
    }
    return new AppendResult(tail + 1, stream.size(), stream.getLast().position());
  }

  static RecordedEvent record(NewEvent event, StreamId stream, long version, long position) {
    return new RecordedEvent(
        event.id(),
        stream,
        version,
        new Position(position),
        event.type(),
        event.time(),
        event.data(),
        event.metadata());
  }

  synchronized List<RecordedEvent> read(StreamId id, StreamRange range) {
    List<RecordedEvent> stream = stream(id);
    int size = stream.size();
    if (range.backwards()) {
      int to = (int) Math.min(size, range.from());
      return List.copyOf(stream.subList(Math.max(0, to - range.limit()), to).reversed());
    }
    int from = (int) Math.min(size, range.from() - 1);
    return List.copyOf(stream.subList(from, Math.min(size, from + range.limit())));
  }

  private List<RecordedEvent> stream(StreamId id) {
    return streams.getOrDefault(id, List.of());
  }

  synchronized Optional<StoredEvent> find(UUID eventId) {
    return Optional.ofNullable(stored.get(eventId));
  }

  synchronized LogPage readLog(Position after, EventFilter filter, int limit) {
    List<RecordedEvent> page = new ArrayList<>();
    Position next = after;
    for (RecordedEvent event : visible(events, after).values()) {
      if (page.size() == limit) {
        return new LogPage(page, next, true);
      }
      if (filter.matches(event)) {
        page.add(event);
      }
      next = event.position();
    }
    return new LogPage(page, next, false);
  }

  synchronized long count(Position after, EventFilter filter) {
    return visible(events, after).values().stream().filter(filter::matches).count();
  }

  synchronized LogStatus status() {
    return new LogStatus(
        last(visible(events, Position.START)),
        Optional.ofNullable(open.firstEntry())
            .map(oldest -> oldest.getValue())
            .map(oldest -> new LogStatus.OpenAppend(oldest.who, oldest.since)));
  }

  synchronized List<OutboxMessage> readOutbox(Position after, int limit) {
    return visible(messages, after).entrySet().stream()
        .limit(limit)
        .map(entry -> new OutboxMessage(new Position(entry.getKey()), entry.getValue()))
        .toList();
  }

  synchronized Position outboxHead() {
    return Position.max(new Position(lastPruned), last(visible(messages, Position.START)));
  }

  synchronized long countOutbox(Position after) {
    return visible(messages, after).size();
  }

  synchronized int prune(Position upTo, int max) {
    int removed = 0;
    while (removed < max && !messages.isEmpty() && messages.firstKey() <= upTo.value()) {
      lastPruned = messages.pollFirstEntry().getKey();
      removed++;
    }
    return removed;
  }

  /** What lies behind a position and was drawn before the oldest open append. */
  <T> NavigableMap<Long, T> visible(NavigableMap<Long, T> log, Position after) {
    long end = open.isEmpty() ? Long.MAX_VALUE : open.firstKey() << INDEX_BITS;
    return after.value() >= end ? new TreeMap<>() : log.subMap(after.value(), false, end, false);
  }

  private static Position last(NavigableMap<Long, ?> log) {
    return log.isEmpty() ? Position.START : new Position(log.lastKey());
  }
}
