package dev.sluice.adapter.inmemory;

import static java.time.temporal.ChronoUnit.MILLIS;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.tck.Capability;
import dev.sluice.tck.CheckpointContract;
import dev.sluice.tck.EventStoreContract;
import dev.sluice.tck.GlobalLogContract;
import dev.sluice.tck.InMemoryFixture;
import dev.sluice.tck.LeaseContract;
import dev.sluice.tck.OutboxContract;
import dev.sluice.tck.SnapshotContract;
import dev.sluice.tck.StorageFixture;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The in-memory adapter with one realistic fault each, and the test that must notice. */
public final class Mutants {

  private Mutants() {}

  /**
   * A faulty store.
   *
   * @param fault what is wrong with it
   * @param suite the suite that must notice
   * @param killedBy the test of it that must fail
   * @param fixture makes the store
   */
  public record Mutant(
      String fault, Class<?> suite, String killedBy, Supplier<StorageFixture> fixture) {

    @Override
    public String toString() {
      return fault;
    }
  }

  /** All of them. */
  public static List<Mutant> all() {
    List<Mutant> all = new ArrayList<>();
    all.addAll(streams());
    all.addAll(log());
    all.addAll(outbox());
    all.addAll(coordination());
    return all;
  }

  private static List<Mutant> streams() {
    Class<?> suite = EventStoreContract.class;
    return List.of(
        new Mutant(
            "last write wins",
            suite,
            "S4_of_concurrent_appends_that_expect_the_same_version_exactly_one_wins",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      long checkedTail(Append append) {
                        return streams.getOrDefault(append.stream(), List.of()).size();
                      }
                    })),
        new Mutant(
            "version computed outside the lock",
            suite,
            "S4_an_open_append_and_another_that_expects_the_same_version_have_one_winner",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized AppendResult commit(Open begun) {
                        open.remove(begun.number);
                        return store(begun.append, begun.tail, begun.number);
                      }
                    })),
        new Mutant(
            "an insert that swallows the conflict",
            suite,
            "S4_of_concurrent_appends_through_two_instances_exactly_one_wins",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        try {
                          return super.append(append);
                        } catch (VersionConflictException e) {
                          long next = e.actual() + 1;
                          return new AppendResult(next, next, Position.START);
                        }
                      }
                    })),
        new Mutant(
            "a batch is stored event by event",
            suite,
            "S1_an_event_that_is_refused_in_the_middle_of_a_batch_stores_nothing_of_it",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        ExpectedVersion expected = append.expected();
                        AppendResult last = null;
                        for (NewEvent event : append.events()) {
                          last =
                              super.append(new Append(append.stream(), expected, List.of(event)));
                          expected = ExpectedVersion.exactly(last.version());
                        }
                        return Objects.requireNonNull(last);
                      }
                    })),
        new Mutant(
            "an append returns before it is stored",
            suite,
            "S7_a_read_after_an_append_returned_sees_it_from_any_instance",
            events(
                store ->
                    new Events(store) {
                      private @Nullable Append buffered;

                      @Override
                      public AppendResult append(Append append) {
                        if (buffered != null) {
                          super.append(buffered);
                        }
                        buffered = append;
                        return new AppendResult(1, 1, Position.START);
                      }
                    })),
        new Mutant(
            "any is exactly the version that was read",
            suite,
            "S5_an_append_held_open_loses_nothing_when_others_are_added_to_its_stream",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized AppendResult commit(Open begun) {
                        long tail = streams.getOrDefault(begun.append.stream(), List.of()).size();
                        if (tail != begun.tail && repeated(begun.append).isEmpty()) {
                          rollBack(begun);
                          throw begun.append.conflict(tail);
                        }
                        return super.commit(begun);
                      }
                    })),
        new Mutant(
            "a repeated append is stored again",
            suite,
            "S6_a_repeated_append_is_recognised_whatever_it_expects",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      Optional<AppendResult> repeated(Append append) {
                        return Optional.empty();
                      }
                    })),
        new Mutant(
            "a repetition in flight is not recognised",
            suite,
            "S6_a_repetition_that_does_not_wait_for_its_first_try_is_stored_once",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized AppendResult commit(Open begun) {
                        long tail = checkedTail(begun.append);
                        rollBack(begun);
                        return store(begun.append, tail, begun.number);
                      }
                    })),
        new Mutant(
            "idempotency that ignores the stream",
            suite,
            "S6_an_id_that_is_stored_in_another_stream_is_a_duplicate",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      Optional<AppendResult> repeated(Append append) {
                        return Optional.ofNullable(stored.get(append.ids().getLast()))
                            .map(e -> new AppendResult(1, e.version(), e.position()));
                      }
                    })),
        new Mutant(
            "idempotency by the first id only",
            suite,
            "S6_an_id_that_is_stored_in_another_append_to_the_same_stream_is_a_duplicate",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      Optional<AppendResult> repeated(Append append) {
                        return Optional.ofNullable(stored.get(append.ids().getFirst()))
                            .map(e -> new AppendResult(1, e.version(), e.position()));
                      }
                    })),
        new Mutant(
            "stream ids are matched by prefix",
            suite,
            "S8_streams_with_similar_names_are_kept_apart",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized List<RecordedEvent> read(StreamId id, StreamRange range) {
                        return streams.entrySet().stream()
                            .filter(e -> e.getKey().toString().startsWith(id.toString()))
                            .flatMap(e -> e.getValue().stream())
                            .filter(e -> e.version() >= range.from())
                            .limit(range.limit())
                            .toList();
                      }
                    })),
        new Mutant(
            "stream ids differ by more than case",
            suite,
            "S8_streams_with_similar_names_are_kept_apart",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        return super.append(
                            new Append(lower(append.stream()), append.expected(), append.events()));
                      }

                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        return super.read(lower(stream), range);
                      }

                      private StreamId lower(StreamId id) {
                        return StreamId.of(id.category(), id.id().toLowerCase(Locale.ROOT));
                      }
                    })),
        new Mutant(
            "a read without an order",
            suite,
            "S8_a_stream_is_read_forwards_from_any_version",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        return super.read(stream, range).stream()
                            .sorted(Comparator.comparingLong(e -> e.version() % 3))
                            .toList();
                      }
                    })),
        new Mutant(
            "backwards means the last ones of all",
            suite,
            "S8_a_stream_is_read_backwards_from_any_version",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        return super.read(
                            stream, range.backwards() ? StreamRange.last(range.limit()) : range);
                      }
                    })),
        new Mutant(
            "state is shared with the caller",
            suite,
            "S8_a_page_that_was_read_does_not_change_and_cannot_change_the_store",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized List<RecordedEvent> read(StreamId id, StreamRange range) {
                        return range.from() == 1 && !range.backwards()
                            ? streams.getOrDefault(id, new ArrayList<>())
                            : super.read(id, range);
                      }
                    })),
        new Mutant(
            "a page is cut out of everything",
            suite,
            "S8_200_000_events_are_read_in_bounded_memory",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized List<RecordedEvent> read(StreamId id, StreamRange range) {
                        List<RecordedEvent> all =
                            streams.getOrDefault(id, List.of()).stream()
                                .map(e -> copy(e, Payload.of(e.data().toBytes()), e.time()))
                                .toList();
                        return super.read(id, range).stream()
                            .map(e -> all.get((int) e.version() - 1))
                            .toList();
                      }
                    })),
        new Mutant(
            "payloads are kept as text",
            suite,
            "S9_payload_and_metadata_come_back_byte_by_byte",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        return super.read(stream, range).stream()
                            .map(e -> copy(e, Payload.ofUtf8(e.data().toUtf8()), e.time()))
                            .toList();
                      }
                    })),
        new Mutant(
            "times are kept in milliseconds",
            suite,
            "S9_times_keep_their_microseconds_and_their_range",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        return super.read(stream, range).stream()
                            .map(e -> copy(e, e.data(), e.time().truncatedTo(MILLIS)))
                            .toList();
                      }
                    })),
        new Mutant(
            "an open append can be read",
            suite,
            "S1_an_append_that_is_open_cannot_be_read",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized Open begin(Append append) {
                        Open begun = super.begin(append);
                        store(append, begun.tail, begun.number);
                        return begun;
                      }
                    })));
  }

  private static List<Mutant> log() {
    Class<?> suite = GlobalLogContract.class;
    return List.of(
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
            globalLog(
                log ->
                    new Log(log) {
                      @Override
                      public LogPage read(Position after, EventFilter filter, int limit) {
                        LogPage page = super.read(after, EventFilter.ALL, limit);
                        return new LogPage(
                            page.events().stream()
                                .filter(
                                    e ->
                                        filter.categories().stream()
                                            .anyMatch(e.stream().category()::startsWith))
                                .toList(),
                            page.next(),
                            page.more());
                      }
                    })),
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
                    })));
  }

  private static List<Mutant> outbox() {
    Class<?> suite = OutboxContract.class;
    return List.of(
        new Mutant(
            "messages are written after the commit",
            suite,
            "O1_messages_are_there_when_the_append_returned",
            log(
                clock ->
                    new CommitLog(clock) {
                      private @Nullable NavigableMap<Long, IntegrationMessage> later;

                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        if (later != null) {
                          messages.putAll(later);
                        }
                        AppendResult result = super.store(append, tail, number);
                        var tailOf = messages.tailMap(number << INDEX_BITS, true);
                        later = new TreeMap<>(tailOf);
                        tailOf.clear();
                        return result;
                      }
                    })),
        new Mutant(
            "messages are dropped when an append tries again",
            suite,
            "O1_an_append_that_was_overtaken_on_its_stream_keeps_its_messages",
            log(
                clock ->
                    new CommitLog(clock) {
                      private final Map<UUID, Long> drawn = new HashMap<>();

                      @Override
                      void draw(Open begun) {
                        super.draw(begun);
                        drawn.putIfAbsent(begun.append.ids().getFirst(), begun.number);
                      }

                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        AppendResult result = super.store(append, tail, number);
                        if (number != drawn.getOrDefault(append.ids().getFirst(), number)) {
                          messages.tailMap(number << INDEX_BITS, true).clear();
                        }
                        return result;
                      }
                    })),
        new Mutant(
            "a message that can't be stored is swallowed",
            EventStoreContract.class,
            "S9_chars_that_not_every_store_holds_are_stored_or_refused_as_declared",
            () ->
                new MutantFixture(
                    new InMemoryStorage(
                        new Data(Clock.systemUTC(), new CommitLog(Clock.systemUTC()))),
                    storage ->
                        new Wrapped(storage) {
                          @Override
                          public EventStore eventStore() {
                            return new Events(super.eventStore()) {
                              @Override
                              public AppendResult append(Append append) {
                                return super.append(withoutBad(append));
                              }
                            };
                          }
                        }) {
                  @Override
                  public Set<Capability> capabilities() {
                    return EnumSet.of(Capability.PARALLEL_APPENDS, Capability.LARGE_APPENDS);
                  }
                }),
        new Mutant(
            "only the first message of an event is kept",
            suite,
            "O1_an_event_takes_none_one_or_several_messages_with_it",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        return super.store(
                            mapped(
                                append,
                                e ->
                                    e.messages().isEmpty()
                                        ? e
                                        : with(e, e.messages().subList(0, 1))),
                            tail,
                            number);
                      }
                    })),
        new Mutant(
            "what is empty comes back absent",
            suite,
            "O1_messages_come_back_equal",
            storage(
                storage ->
                    new Wrapped(storage) {
                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public List<OutboxMessage> read(Position after, int limit) {
                            return super.read(after, limit).stream()
                                .map(m -> new OutboxMessage(m.position(), nullEmpty(m.message())))
                                .toList();
                          }
                        };
                      }
                    })),
        new Mutant(
            "the relay trusts the greatest position",
            suite,
            "O2_an_append_that_ends_late_is_not_missed_by_a_relay_that_has_read_on",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized List<OutboxMessage> readOutbox(Position after, int limit) {
                        return messages.tailMap(after.value(), false).entrySet().stream()
                            .limit(limit)
                            .map(e -> new OutboxMessage(new Position(e.getKey()), e.getValue()))
                            .toList();
                      }
                    })),
        new Mutant(
            "a conflict leaves its messages behind",
            suite,
            "O1_a_conflict_leaves_no_message",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized Open begin(Append append) {
                        try {
                          return super.begin(append);
                        } catch (VersionConflictException e) {
                          long position = ++lastNumber << INDEX_BITS;
                          for (NewEvent event : append.events()) {
                            for (IntegrationMessage message : event.messages()) {
                              messages.put(position++, message);
                            }
                          }
                          throw e;
                        }
                      }
                    })),
        new Mutant(
            "what is unpublished is pruned",
            suite,
            "O5_without_a_relay_nothing_is_pruned",
            log(
                clock -> new CommitLog(clock),
                data ->
                    new Wrapped(new InMemoryStorage(data)) {
                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public int prune(int max) {
                            return data.log.prune(head(), max);
                          }
                        };
                      }
                    })),
        new Mutant(
            "what the fastest relay has passed is pruned",
            suite,
            "O5_only_what_every_relay_has_passed_is_pruned",
            log(
                clock -> new CommitLog(clock),
                data ->
                    new Wrapped(new InMemoryStorage(data)) {
                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public int prune(int max) {
                            return checkpoints().list(RELAY_PREFIX).stream()
                                .map(Checkpoint::position)
                                .max(Position::compareTo)
                                .map(position -> data.log.prune(position, max))
                                .orElse(0);
                          }
                        };
                      }
                    })));
  }

  private static List<Mutant> coordination() {
    return List.of(
        new Mutant(
            "a checkpoint goes backwards",
            CheckpointContract.class,
            "U1_a_checkpoint_never_goes_backwards",
            checkpoints((stored, next) -> next.revision() == revision(stored) + 1)),
        new Mutant(
            "a checkpoint without compare-and-set",
            CheckpointContract.class,
            "U3_of_concurrent_saves_of_the_next_checkpoint_exactly_one_wins",
            checkpoints((stored, next) -> true)),
        new Mutant(
            "a checkpoint without a fencing token",
            CheckpointContract.class,
            "U3_a_stale_owner_can_not_save_over_its_successor",
            checkpoints(
                (stored, next) ->
                    next.revision() == revision(stored) + 1
                        && (stored == null || !stored.position().isAfter(next.position())))),
        new Mutant(
            "a lease without a growing token",
            LeaseContract.class,
            "L3_tokens_only_grow_over_release_expiry_and_restart",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Optional<Lease> acquire(String name, String owner, Duration duration) {
                        return super.acquire(name, owner, duration)
                            .map(l -> new Lease(name, owner, 1, l.expiresAt()));
                      }
                    })),
        new Mutant(
            "a lease is given to an owner of the same name",
            LeaseContract.class,
            "L1_a_held_lease_is_refused_to_everybody_else",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Optional<Lease> acquire(String name, String owner, Duration duration) {
                        return super.acquire(name, owner, duration)
                            .or(
                                () ->
                                    super.list(name).stream()
                                        .filter(l -> l.owner().equals(owner))
                                        .findFirst());
                      }
                    })),
        new Mutant(
            "a lost lease can be renewed",
            LeaseContract.class,
            "L2_a_released_lease_cannot_be_renewed",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Lease renew(Lease lease, Duration duration) {
                        return new Lease(
                            lease.name(),
                            lease.owner(),
                            lease.token(),
                            Instant.now().plus(duration));
                      }
                    })),
        new Mutant(
            "who lost a lease releases that of its successor",
            LeaseContract.class,
            "L2_a_lease_that_was_lost_can_neither_be_renewed_nor_take_the_new_one_away",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public void release(Lease lease) {
                        super.list(lease.name()).forEach(super::release);
                      }
                    })),
        new Mutant(
            "a snapshot is found in another schema",
            SnapshotContract.class,
            "P1_snapshots_are_kept_apart_by_stream_and_schema",
            snapshots(
                store ->
                    new SnapshotsOf(store) {
                      @Override
                      public Optional<Snapshot> load(StreamId stream, String schema) {
                        return super.load(stream, "v1");
                      }
                    })),
        new Mutant(
            "a read past the end returns the last event, and hides that a snapshot is too new",
            SnapshotContract.class,
            "P1_a_snapshot_that_is_newer_than_its_stream_changes_no_result",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        List<RecordedEvent> page = super.read(stream, range);
                        return page.isEmpty() ? super.read(stream, StreamRange.last(1)) : page;
                      }
                    })),
        new Mutant(
            "a snapshot takes the place of those of other streams",
            SnapshotContract.class,
            "P1_deleted_snapshots_are_absent_and_others_stay",
            snapshots(
                store ->
                    new SnapshotsOf(store) {
                      @Override
                      public void delete(StreamId stream) {
                        super.delete(StreamId.of("account", "42"));
                        super.delete(StreamId.of("account", "43"));
                      }
                    })));
  }

  // how a mutant is put together

  private static Supplier<StorageFixture> log(Function<Clock, CommitLog> log) {
    return storages(Clock::systemUTC, log, InMemoryStorage::new);
  }

  private static Supplier<StorageFixture> log(
      Function<Clock, CommitLog> log, Function<Data, Storage> storage) {
    return storages(Clock::systemUTC, log, storage);
  }

  private static Supplier<StorageFixture> storages(
      Supplier<Clock> clock, Function<Clock, CommitLog> log, Function<Data, Storage> storage) {
    return () -> {
      Data data = new Data(clock.get(), log.apply(clock.get()));
      return new MutantFixture(new InMemoryStorage(data), ignored -> storage.apply(data));
    };
  }

  private static Supplier<StorageFixture> storage(UnaryOperator<Storage> wrap) {
    return () -> new MutantFixture(InMemoryStorage.create(), wrap);
  }

  private static Supplier<StorageFixture> events(UnaryOperator<EventStore> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              private final EventStore wrapped = wrap.apply(storage.eventStore());

              @Override
              public EventStore eventStore() {
                return wrapped;
              }
            });
  }

  private static Supplier<StorageFixture> globalLog(UnaryOperator<GlobalLog> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              @Override
              public GlobalLog globalLog() {
                return wrap.apply(super.globalLog());
              }
            });
  }

  private static Supplier<StorageFixture> leases(UnaryOperator<LeaseStore> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              @Override
              public LeaseStore leases() {
                return wrap.apply(super.leases());
              }
            });
  }

  private static Supplier<StorageFixture> snapshots(UnaryOperator<SnapshotStore> wrap) {
    return storage(
        storage ->
            new Wrapped(storage) {
              @Override
              public SnapshotStore snapshots() {
                return wrap.apply(super.snapshots());
              }
            });
  }

  private interface Follows {
    boolean follows(@Nullable Checkpoint stored, Checkpoint next);
  }

  private static Supplier<StorageFixture> checkpoints(Follows rule) {
    return log(
        clock -> new CommitLog(clock),
        data ->
            new Wrapped(new InMemoryStorage(data)) {
              @Override
              public CheckpointStore checkpoints() {
                CheckpointStore right = super.checkpoints();
                return new CheckpointStore() {
                  @Override
                  public Optional<Checkpoint> load(String name) {
                    return right.load(name);
                  }

                  @Override
                  public void save(Checkpoint next) {
                    synchronized (data.checkpoints) {
                      Checkpoint stored = data.checkpoints.get(next.name());
                      if (!rule.follows(stored, next)) {
                        throw new CheckpointConflictException(next, Optional.ofNullable(stored));
                      }
                      data.checkpoints.put(next.name(), next);
                    }
                  }

                  @Override
                  public List<Checkpoint> list(String prefix) {
                    return right.list(prefix);
                  }

                  @Override
                  public void delete(String name) {
                    right.delete(name);
                  }
                };
              }
            });
  }

  private static long revision(@Nullable Checkpoint stored) {
    return stored == null ? 0 : stored.revision();
  }

  private static RecordedEvent copy(RecordedEvent e, Payload data, Instant time) {
    return new RecordedEvent(
        e.id(), e.stream(), e.version(), e.position(), e.type(), time, data, e.metadata());
  }

  private static NewEvent with(NewEvent e, List<IntegrationMessage> messages) {
    return new NewEvent(e.id(), e.type(), e.time(), e.data(), e.metadata(), messages);
  }

  private static Append mapped(Append append, UnaryOperator<NewEvent> mapping) {
    return new Append(
        append.stream(), append.expected(), append.events().stream().map(mapping).toList());
  }

  private static Append withoutBad(Append append) {
    if (append.events().stream().anyMatch(e -> isBad(e.type()))) {
      throw new NotStorableException("a type with a char that this store can't hold");
    }
    return mapped(
        append, e -> with(e, e.messages().stream().filter(m -> !isBad(m.key())).toList()));
  }

  private static boolean isBad(String text) {
    return text.chars().anyMatch(c -> c == 0 || Character.isSurrogate((char) c));
  }

  private static IntegrationMessage nullEmpty(IntegrationMessage m) {
    return new IntegrationMessage(
        m.id(),
        m.type(),
        m.key(),
        m.subject(),
        m.time(),
        m.data(),
        m.correlationId().filter(text -> !text.isEmpty()),
        m.causationId().filter(text -> !text.isEmpty()));
  }

  private static class MutantFixture extends InMemoryFixture {

    private final InMemoryStorage right;
    private final UnaryOperator<Storage> wrap;

    MutantFixture(InMemoryStorage right, UnaryOperator<Storage> wrap) {
      super(right);
      this.right = right;
      this.wrap = wrap;
    }

    @Override
    public Storage open() {
      return wrap.apply(right.another());
    }
  }

  private static class Wrapped implements Storage {

    private final Storage right;

    Wrapped(Storage right) {
      this.right = right;
    }

    @Override
    public String describe() {
      return "a mutant";
    }

    @Override
    public EventStore eventStore() {
      return right.eventStore();
    }

    @Override
    public GlobalLog globalLog() {
      return right.globalLog();
    }

    @Override
    public Outbox outbox() {
      return right.outbox();
    }

    @Override
    public CheckpointStore checkpoints() {
      return right.checkpoints();
    }

    @Override
    public SnapshotStore snapshots() {
      return right.snapshots();
    }

    @Override
    public LeaseStore leases() {
      return right.leases();
    }

    @Override
    public void close() {
      right.close();
    }
  }

  private static class Events implements EventStore {

    private final EventStore right;

    Events(EventStore right) {
      this.right = right;
    }

    @Override
    public AppendResult append(Append append) {
      return right.append(append);
    }

    @Override
    public List<RecordedEvent> read(StreamId stream, StreamRange range) {
      return right.read(stream, range);
    }

    @Override
    public Optional<StoredEvent> find(UUID eventId) {
      return right.find(eventId);
    }
  }

  private static class Log implements GlobalLog {

    private final GlobalLog right;

    Log(GlobalLog right) {
      this.right = right;
    }

    @Override
    public LogPage read(Position after, EventFilter filter, int limit) {
      return right.read(after, filter, limit);
    }

    @Override
    public LogStatus status() {
      return right.status();
    }

    @Override
    public long count(Position after, EventFilter filter) {
      return right.count(after, filter);
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return right.onAppend(hint);
    }
  }

  private static class Messages implements Outbox {

    private final Outbox right;

    Messages(Outbox right) {
      this.right = right;
    }

    @Override
    public List<OutboxMessage> read(Position after, int limit) {
      return right.read(after, limit);
    }

    @Override
    public Position head() {
      return right.head();
    }

    @Override
    public long count(Position after) {
      return right.count(after);
    }

    @Override
    public int prune(int max) {
      return right.prune(max);
    }

    @Override
    public Registration onAppend(Runnable hint) {
      return right.onAppend(hint);
    }
  }

  private static class LeasesOf implements LeaseStore {

    private final LeaseStore right;

    LeasesOf(LeaseStore right) {
      this.right = right;
    }

    @Override
    public Optional<Lease> acquire(String name, String owner, Duration duration) {
      return right.acquire(name, owner, duration);
    }

    @Override
    public Lease renew(Lease lease, Duration duration) {
      return right.renew(lease, duration);
    }

    @Override
    public void release(Lease lease) {
      right.release(lease);
    }

    @Override
    public List<Lease> list(String prefix) {
      return right.list(prefix);
    }
  }

  private static class SnapshotsOf implements SnapshotStore {

    private final SnapshotStore right;

    SnapshotsOf(SnapshotStore right) {
      this.right = right;
    }

    @Override
    public Optional<Snapshot> load(StreamId stream, String schema) {
      return right.load(stream, schema);
    }

    @Override
    public void save(Snapshot snapshot) {
      right.save(snapshot);
    }

    @Override
    public void delete(StreamId stream) {
      right.delete(stream);
    }
  }
}
