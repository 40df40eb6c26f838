package dev.sluice.adapter.inmemory;

import static dev.sluice.adapter.inmemory.Faulty.globalLog;
import static dev.sluice.adapter.inmemory.Faulty.log;
import static dev.sluice.adapter.inmemory.Faulty.storage;
import static dev.sluice.adapter.inmemory.Faulty.storages;
import static dev.sluice.adapter.inmemory.Faulty.wrap;

import dev.sluice.adapter.inmemory.Faulty.Events;
import dev.sluice.adapter.inmemory.Faulty.Log;
import dev.sluice.adapter.inmemory.Faulty.Messages;
import dev.sluice.adapter.inmemory.Faulty.Wrapped;
import dev.sluice.adapter.inmemory.Mutants.Mutant;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import dev.sluice.tck.GlobalLogContract;
import dev.sluice.tck.StorageFixture;
import java.text.Normalizer;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.function.BiPredicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Faults in reading all events. */
final class LogMutants {

  private LogMutants() {}

  /** Filters in its own way what it has read. */
  private static Supplier<StorageFixture> matching(
      BiPredicate<EventFilter, RecordedEvent> matches) {
    return globalLog(
        log ->
            new Log(log) {
              @Override
              public LogPage read(Position after, EventFilter filter, int limit) {
                LogPage page = super.read(after, EventFilter.ALL, limit);
                return new LogPage(
                    page.events().stream().filter(e -> matches.test(filter, e)).toList(),
                    page.next(),
                    page.more());
              }
            });
  }

  static List<Mutant> all() {
    Class<?> suite = GlobalLogContract.class;
    return List.of(
        new Mutant(
            "a filtered page never says that there is more",
            suite,
            "G7_the_log_is_read_by_event_type",
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public LogPage read(Position after, EventFilter filter, int limit) {
                        LogPage page = super.read(after, filter, limit);
                        return filter.equals(EventFilter.ALL)
                            ? page
                            : new LogPage(page.events(), page.next(), false);
                      }
                    })),
        new Mutant(
            "a filtered read does not stop before an open append",
            suite,
            "G7_a_cursor_never_moves_past_an_open_append",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized LogPage readLog(Position after, EventFilter filter, int limit) {
                        List<RecordedEvent> found =
                            events.tailMap(after.value(), false).values().stream()
                                .filter(filter::matches)
                                .limit(limit)
                                .toList();
                        return filter.equals(EventFilter.ALL) || found.isEmpty()
                            ? super.readLog(after, filter, limit)
                            : new LogPage(found, found.getLast().position(), false);
                      }
                    })),
        new Mutant(
            "a category ends at the last dash",
            suite,
            "G7_the_log_is_read_by_category",
            matching(
                (filter, e) -> {
                  String stream = e.stream().toString();
                  return filter.matches(stream.substring(0, stream.lastIndexOf('-')), e.type());
                })),
        new Mutant(
            "categories are matched by LIKE",
            suite,
            "G7_the_log_is_read_by_category",
            matching(
                (filter, e) ->
                    filter.categories().stream()
                        .map(c -> c.replace(".", "[.]").replace('_', '.'))
                        .anyMatch(e.stream().category()::matches))),
        new Mutant(
            "event types are compared by how they look",
            suite,
            "G7_the_log_is_read_by_event_type",
            matching(
                (filter, e) ->
                    filter.types().stream()
                        .map(type -> Normalizer.normalize(type, Normalizer.Form.NFC))
                        .anyMatch(Normalizer.normalize(e.type(), Normalizer.Form.NFC)::equals))),
        new Mutant(
            "event types are matched by patterns",
            suite,
            "G7_the_log_is_read_by_event_type",
            matching((filter, e) -> filter.types().stream().anyMatch(e.type()::matches))),
        new Mutant(
            "events are counted where either the category or the type matches",
            suite,
            "G7_events_are_counted_by_filter",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized long count(Position after, EventFilter filter) {
                        return visible(events, after).values().stream()
                            .filter(
                                e ->
                                    filter.equals(EventFilter.ALL)
                                        || filter.categories().contains(e.stream().category())
                                        || filter.types().contains(e.type()))
                            .count();
                      }
                    })),
        new Mutant(
            "a filter counts from the beginning",
            suite,
            "G7_events_are_counted_by_filter",
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public long count(Position after, EventFilter filter) {
                        return super.count(
                            filter.equals(EventFilter.ALL) ? after : Position.START, filter);
                      }
                    })),
        new Mutant(
            "the head is remembered until this instance appends",
            suite,
            "G2_the_head_is_the_last_event_that_can_be_read",
            storage(
                storage ->
                    new Wrapped(storage) {
                      private @Nullable LogStatus known;

                      @Override
                      public GlobalLog globalLog() {
                        return new Log(super.globalLog()) {
                          @Override
                          public LogStatus status() {
                            LogStatus status = known == null ? super.status() : known;
                            known = status;
                            return status;
                          }
                        };
                      }

                      @Override
                      public EventStore eventStore() {
                        return new Events(super.eventStore()) {
                          @Override
                          public AppendResult append(Append append) {
                            known = null;
                            return super.append(append);
                          }
                        };
                      }
                    })),
        new Mutant(
            "a failing hint of the outbox fails the append",
            suite,
            "G6_a_hint_that_fails_does_not_fail_an_append",
            storage(
                storage ->
                    new Wrapped(storage) {
                      private final List<Runnable> hints = new ArrayList<>();

                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public Registration onAppend(Runnable hint) {
                            hints.add(hint);
                            return () -> hints.remove(hint);
                          }
                        };
                      }

                      @Override
                      public EventStore eventStore() {
                        return new Events(super.eventStore()) {
                          @Override
                          public AppendResult append(Append append) {
                            AppendResult result = super.append(append);
                            hints.forEach(Runnable::run);
                            return result;
                          }
                        };
                      }
                    })),
        new Mutant(
            "positions are drawn from caches, and not causal",
            suite,
            "G1_what_is_appended_after_reading_an_event_lies_behind_it",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      void draw(Open begun) {
                        lastNumber++;
                        begun.number = lastNumber % 2 == 0 ? lastNumber : lastNumber + 1_000;
                        open.put(begun.number, begun);
                      }
                    })),
        new Mutant(
            "the reader trusts the greatest position",
            suite,
            "G2_an_append_that_ends_late_is_not_missed_by_who_has_read_on",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      <T> NavigableMap<Long, T> visible(NavigableMap<Long, T> log, Position after) {
                        return log.tailMap(after.value(), false);
                      }
                    })),
        new Mutant(
            "the reader skips holes after a time-out",
            suite,
            "G2_an_append_that_ends_after_seconds_is_not_missed_either",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      <T> NavigableMap<Long, T> visible(NavigableMap<Long, T> log, Position after) {
                        boolean allOld =
                            open.values().stream()
                                .allMatch(o -> o.since.plusMillis(500).isBefore(clock.instant()));
                        return allOld
                            ? log.tailMap(after.value(), false)
                            : super.visible(log, after);
                      }
                    })),
        new Mutant(
            "a stream is out of its order in the log",
            suite,
            "G1_a_stream_keeps_its_order_when_an_append_that_began_first_ends_last",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized AppendResult commit(Open begun) {
                        begun.tail = streams.getOrDefault(begun.append.stream(), List.of()).size();
                        return super.commit(begun);
                      }
                    })),
        new Mutant(
            "events of several commits lie between each other",
            suite,
            "G1_events_of_one_commit_stand_together_in_their_order_while_others_append",
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public LogPage read(Position after, EventFilter filter, int limit) {
                        LogPage page = super.read(after, filter, limit);
                        return new LogPage(
                            page.events().stream()
                                .sorted(Comparator.comparingLong(e -> e.position().value() % 3))
                                .toList(),
                            page.next(),
                            page.more());
                      }
                    })),
        new Mutant(
            "the log is ordered by the clients' time",
            suite,
            "G1_the_time_of_an_event_orders_nothing",
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public LogPage read(Position after, EventFilter filter, int limit) {
                        LogPage page = super.read(after, filter, limit);
                        return new LogPage(
                            page.events().stream()
                                .sorted(Comparator.comparing(RecordedEvent::time))
                                .toList(),
                            page.events().isEmpty() ? page.next() : new Position(Long.MAX_VALUE),
                            page.more());
                      }
                    })),
        new Mutant(
            "positions begin again after a restart",
            suite,
            "G1_positions_go_on_after_a_restart",
            storages(
                Clock::systemUTC,
                CommitLog::new,
                data -> {
                  data.log.lastNumber = data.log.streams.size();
                  return new InMemoryStorage(data);
                })),
        new Mutant(
            "the cursor is ahead of what was returned",
            suite,
            "G1_pages_of_any_size_neither_skip_nor_repeat",
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public LogPage read(Position after, EventFilter filter, int limit) {
                        LogPage page = super.read(after, filter, limit);
                        return new LogPage(page.events(), status().head(), page.more());
                      }
                    })),
        new Mutant(
            "the cursor stays before what the filter leaves out",
            suite,
            "G7_a_filter_that_nothing_matches_moves_the_cursor_over_everything",
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public LogPage read(Position after, EventFilter filter, int limit) {
                        LogPage page = super.read(after, filter, limit);
                        Position last =
                            page.events().isEmpty() ? after : page.events().getLast().position();
                        return new LogPage(page.events(), last, page.more());
                      }
                    })),
        new Mutant(
            "the cursor moves to the head before the events are read",
            suite,
            "G7_a_cursor_never_moves_past_an_open_append",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized LogPage readLog(Position after, EventFilter filter, int limit) {
                        LogPage page = super.readLog(after, filter, limit);
                        return filter.equals(EventFilter.ALL) || events.isEmpty()
                            ? page
                            : new LogPage(
                                page.events(), new Position(events.lastKey()), page.more());
                      }
                    })),
        new Mutant(
            "categories are matched by prefix",
            suite,
            "G7_the_log_is_read_by_category",
            matching(
                (filter, e) ->
                    filter.categories().stream().anyMatch(e.stream().category()::startsWith))),
        new Mutant(
            "a rolled back append holds readers back for ever",
            suite,
            "G3_an_append_that_rolls_back_delays_nobody",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized void rollBack(Open begun) {
                        if (stored.containsKey(begun.append.ids().getFirst())) {
                          super.rollBack(begun);
                        }
                      }
                    })),
        new Mutant(
            "a failing hint fails the append",
            suite,
            "G6_a_hint_that_fails_does_not_fail_an_append",
            storage(
                storage ->
                    new Wrapped(storage) {
                      private final List<Runnable> hints = new ArrayList<>();

                      @Override
                      public GlobalLog globalLog() {
                        return new Log(super.globalLog()) {
                          @Override
                          public Registration onAppend(Runnable hint) {
                            hints.add(hint);
                            return () -> hints.remove(hint);
                          }
                        };
                      }

                      @Override
                      public EventStore eventStore() {
                        return new Events(super.eventStore()) {
                          @Override
                          public AppendResult append(Append append) {
                            AppendResult result = super.append(append);
                            hints.forEach(Runnable::run);
                            return result;
                          }
                        };
                      }
                    })),
        new Mutant(
            "the log is read on beyond its last event",
            suite,
            "G1_a_page_says_whether_there_is_more_and_where_to_read_on",
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public LogPage read(Position after, EventFilter filter, int limit) {
                        LogPage page = super.read(after, filter, limit);
                        return page.events().isEmpty() || page.more()
                            ? page
                            : new LogPage(
                                page.events(), new Position(page.next().value() + 1), false);
                      }
                    })),
        new Mutant(
            "the head is the last event stored, readable or not",
            suite,
            "G4_heads_and_counts_end_where_reading_ends",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized LogStatus status() {
                        return events.isEmpty()
                            ? super.status()
                            : new LogStatus(
                                new Position(events.lastKey()), super.status().heldBackBy());
                      }
                    })),
        new Mutant(
            "events that can't be read yet are counted",
            suite,
            "G4_heads_and_counts_end_where_reading_ends",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized long count(Position after, EventFilter filter) {
                        return events.tailMap(after.value(), false).values().stream()
                            .filter(filter::matches)
                            .count();
                      }
                    })),
        new Mutant(
            "messages that can't be read yet are counted",
            suite,
            "G4_heads_and_counts_end_where_reading_ends",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized long countOutbox(Position after) {
                        return messages.tailMap(after.value(), false).size();
                      }
                    })),
        new Mutant(
            "the outbox's head is the last message stored, readable or not",
            suite,
            "G4_heads_and_counts_end_where_reading_ends",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized Position outboxHead() {
                        return messages.isEmpty()
                            ? super.outboxHead()
                            : new Position(messages.lastKey());
                      }
                    })),
        new Mutant(
            "a commit has places for 4,096 events",
            suite,
            "G1_a_commit_of_10_000_events_keeps_its_order_and_stands_before_the_next",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        AppendResult result = super.store(append, tail, number);
                        wrap(events, number, 4_096);
                        return result;
                      }
                    })),
        new Mutant(
            "a commit has places for 256 messages",
            suite,
            "G1_a_commit_of_10_000_events_keeps_its_order_and_stands_before_the_next",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        AppendResult result = super.store(append, tail, number);
                        wrap(messages, number, 256);
                        return result;
                      }
                    })),
        new Mutant(
            "a hint stays when its registration is closed",
            suite,
            "G6_a_hint_is_not_called_once_its_registration_is_closed",
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public Registration onAppend(Runnable hint) {
                        Registration kept = super.onAppend(hint);
                        return () -> Objects.requireNonNull(kept);
                      }
                    })));
  }
}
