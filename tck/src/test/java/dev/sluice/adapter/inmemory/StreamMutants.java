package dev.sluice.adapter.inmemory;

import static dev.sluice.adapter.inmemory.Faulty.copies;
import static dev.sluice.adapter.inmemory.Faulty.copy;
import static dev.sluice.adapter.inmemory.Faulty.events;
import static dev.sluice.adapter.inmemory.Faulty.globalLog;
import static dev.sluice.adapter.inmemory.Faulty.log;
import static dev.sluice.adapter.inmemory.Faulty.mapped;
import static dev.sluice.adapter.inmemory.Faulty.mappedEvents;
import static dev.sluice.adapter.inmemory.Faulty.onAnotherThread;
import static dev.sluice.adapter.inmemory.Faulty.refuseBad;
import static dev.sluice.adapter.inmemory.Faulty.refusing;
import static java.time.ZoneOffset.UTC;
import static java.time.temporal.ChronoUnit.MILLIS;

import dev.sluice.adapter.inmemory.Faulty.Events;
import dev.sluice.adapter.inmemory.Faulty.Log;
import dev.sluice.adapter.inmemory.Faulty.Wrapped;
import dev.sluice.adapter.inmemory.Mutants.Mutant;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.tck.EventStoreContract;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Faults in appending, and in reading one stream. */
final class StreamMutants {

  private StreamMutants() {}

  static List<Mutant> all() {
    Class<?> suite = EventStoreContract.class;
    return List.of(
        new Mutant(
            "a repetition is told that it begins at version 1",
            suite,
            "S6_a_repeated_append_stores_nothing_twice_and_returns_what_the_first_did",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      Optional<AppendResult> repeated(Append append) {
                        return super.repeated(append)
                            .map(r -> new AppendResult(1, r.version(), r.position()));
                      }
                    })),
        new Mutant(
            "a repetition is recognised at the beginning of a stream only",
            suite,
            "S6_a_repeated_append_is_recognised_whatever_it_expects",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      Optional<AppendResult> repeated(Append append) {
                        return super.repeated(append).filter(r -> r.firstVersion() == 1);
                      }
                    })),
        new Mutant(
            "a repetition is known by a whole commit",
            suite,
            "S6_events_that_stand_together_are_a_repetition_in_whichever_appends_they_came",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      Optional<AppendResult> repeated(Append append) {
                        Optional<AppendResult> repeated = super.repeated(append);
                        repeated
                            .filter(r -> size(r.position()) != append.events().size())
                            .ifPresent(
                                r -> {
                                  throw new DuplicateEventException(
                                      append.stream(),
                                      append.ids().getFirst(),
                                      append.stream(),
                                      r.firstVersion());
                                });
                        return repeated;
                      }

                      private int size(Position one) {
                        long first = one.value() >> INDEX_BITS << INDEX_BITS;
                        return events.subMap(first, first + (1 << INDEX_BITS)).size();
                      }
                    })),
        new Mutant(
            "an event is found where the last one of its commit is",
            suite,
            "S6_a_stored_event_is_found_by_its_id",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized Optional<StoredEvent> find(UUID id) {
                        return super.find(id)
                            .map(
                                e -> {
                                  long end = (e.position().value() >> INDEX_BITS) + 1;
                                  RecordedEvent last =
                                      events.lowerEntry(end << INDEX_BITS).getValue();
                                  return new StoredEvent(
                                      id, e.stream(), last.version(), last.position());
                                });
                      }
                    })),
        new Mutant(
            "backwards, only the newest commit is read",
            suite,
            "S8_a_stream_is_read_backwards_from_any_version",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        List<RecordedEvent> page = super.read(stream, range);
                        return range.backwards()
                            ? page.stream()
                                .takeWhile(e -> number(e) == number(page.getFirst()))
                                .toList()
                            : page;
                      }

                      private static long number(RecordedEvent event) {
                        return event.position().value() >> CommitLog.INDEX_BITS;
                      }
                    })),
        new Mutant(
            "a page of a stream has no more than 1,000 events",
            suite,
            "S8_a_long_stream_is_read_in_pages_without_a_gap",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        return super.read(
                            stream,
                            new StreamRange(
                                range.from(), Math.min(1_000, range.limit()), range.backwards()));
                      }
                    })),
        new Mutant(
            "an existing stream is exactly the version that was read",
            suite,
            "S3_stream_exists_is_met_by_a_stream_that_grows_meanwhile",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized AppendResult commit(Open begun) {
                        long tail = streams.getOrDefault(begun.append.stream(), List.of()).size();
                        if (tail != begun.tail
                            && begun.append.expected() instanceof ExpectedVersion.StreamExists) {
                          rollBack(begun);
                          throw begun.append.conflict(tail);
                        }
                        return super.commit(begun);
                      }
                    })),
        new Mutant(
            "a refused append leaves a stream behind",
            suite,
            "S3_stream_exists_is_refused_where_none_is",
            log(
                clock ->
                    new CommitLog(clock) {
                      private final Set<StreamId> known = new HashSet<>();

                      @Override
                      long checkedTail(Append append) {
                        if (known.contains(append.stream())
                            && append.expected() instanceof ExpectedVersion.NoStream) {
                          throw append.conflict(0);
                        }
                        try {
                          return super.checkedTail(append);
                        } catch (VersionConflictException e) {
                          known.add(append.stream());
                          throw e;
                        }
                      }
                    })),
        new Mutant(
            "an append that was rolled back leaves a stream behind",
            suite,
            "S1_an_append_that_is_rolled_back_leaves_nothing",
            log(
                clock ->
                    new CommitLog(clock) {
                      private final Set<StreamId> known = new HashSet<>();

                      @Override
                      long checkedTail(Append append) {
                        if (known.contains(append.stream())
                            && append.expected() instanceof ExpectedVersion.NoStream) {
                          throw append.conflict(0);
                        }
                        return super.checkedTail(append);
                      }

                      @Override
                      synchronized void rollBack(Open begun) {
                        if (!stored.containsKey(begun.append.ids().getFirst())) {
                          known.add(begun.append.stream());
                        }
                        super.rollBack(begun);
                      }
                    })),
        new Mutant(
            "an append whose thread is interrupted stores a part",
            suite,
            "S1_an_append_whose_thread_is_interrupted_is_stored_whole_or_not_at_all",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        if (!Thread.currentThread().isInterrupted()) {
                          return super.append(append);
                        }
                        super.append(
                            new Append(
                                append.stream(),
                                append.expected(),
                                List.of(append.events().getFirst())));
                        throw new StoreUnavailableException(
                            "interrupted", new InterruptedException());
                      }
                    })),
        new Mutant(
            "times are kept as the clock on the wall shows them",
            suite,
            "S9_times_keep_their_microseconds_and_their_range",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        return super.append(
                            mappedEvents(append, e -> at(e, local(e.time()).toInstant(UTC))));
                      }

                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        return super.read(stream, range).stream()
                            .map(
                                e ->
                                    copy(
                                        e,
                                        e.data(),
                                        LocalDateTime.ofInstant(e.time(), UTC)
                                            .atZone(ZoneId.systemDefault())
                                            .toInstant()))
                            .toList();
                      }

                      private static LocalDateTime local(Instant time) {
                        return LocalDateTime.ofInstant(time, ZoneId.systemDefault());
                      }

                      private static NewEvent at(NewEvent e, Instant time) {
                        return new NewEvent(
                            e.id(), e.type(), time, e.data(), e.metadata(), e.messages());
                      }
                    })),
        new Mutant(
            "a closed store can be read",
            suite,
            "a_storage_that_was_closed_refuses_calls_and_may_be_closed_again",
            log(
                CommitLog::new,
                data ->
                    new Wrapped(new InMemoryStorage(data)) {
                      @Override
                      public EventStore eventStore() {
                        return new Events(super.eventStore()) {
                          @Override
                          public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                            return data.log.read(stream, range);
                          }
                        };
                      }
                    })),
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
                            copies(streams.getOrDefault(id, List.of()).stream());
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
                    })),
        new Mutant(
            "a page is cut out of everything, on another thread",
            suite,
            "S8_200_000_events_are_read_in_bounded_memory",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized List<RecordedEvent> read(StreamId id, StreamRange range) {
                        List<RecordedEvent> stream = streams.getOrDefault(id, List.of());
                        List<RecordedEvent> all = onAnotherThread(() -> copies(stream.stream()));
                        return super.read(id, range).stream()
                            .map(e -> all.get((int) e.version() - 1))
                            .toList();
                      }
                    })),
        new Mutant(
            "a stream is collected before it is handed out",
            suite,
            "S8_200_000_events_are_read_in_bounded_memory",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public Stream<RecordedEvent> readFrom(StreamId stream, long version) {
                        return copies(super.readFrom(stream, version)).stream();
                      }
                    })),
        new Mutant(
            "a stream is collected on another thread before it is handed out",
            suite,
            "S8_200_000_events_are_read_in_bounded_memory",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public Stream<RecordedEvent> readFrom(StreamId stream, long version) {
                        return onAnotherThread(() -> copies(super.readFrom(stream, version)))
                            .stream();
                      }
                    })),
        new Mutant(
            "every page of the log is kept",
            suite,
            "S8_200_000_events_are_read_in_bounded_memory",
            globalLog(
                log ->
                    new Log(log) {
                      private final List<List<RecordedEvent>> kept = new ArrayList<>();

                      @Override
                      public LogPage read(Position after, EventFilter filter, int limit) {
                        LogPage page = super.read(after, filter, limit);
                        kept.add(copies(page.events().stream()));
                        return page;
                      }
                    })),
        new Mutant(
            "a read backwards returns one event too many",
            suite,
            "S8_a_stream_is_read_backwards_from_any_version",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        return super.read(
                            stream,
                            range.backwards() && range.limit() < StreamRange.MAX_LIMIT
                                ? StreamRange.backwards(range.from(), range.limit() + 1)
                                : range);
                      }
                    })),
        new Mutant(
            "event ids are remembered for the last hundred appends",
            suite,
            "S6_a_repetition_is_recognised_long_after_the_first_try",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        AppendResult result = super.store(append, tail, number);
                        long oldest = (number - 100) << INDEX_BITS;
                        stored.values().removeIf(e -> e.position().value() < oldest);
                        return result;
                      }
                    })),
        new Mutant(
            "event ids are looked up in other streams before the commit only",
            suite,
            "S6_of_an_open_append_and_one_to_another_stream_with_its_id_exactly_one_is_stored",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized AppendResult commit(Open begun) {
                        StoredEvent other = stored.get(begun.append.ids().getFirst());
                        if (other == null || other.stream().equals(begun.append.stream())) {
                          return super.commit(begun);
                        }
                        rollBack(begun);
                        return store(begun.append, begun.tail, begun.number);
                      }
                    })),
        new Mutant(
            "the result of an append is the position of its first event",
            suite,
            "S5_concurrent_appends_that_expect_any_are_all_stored_and_return_what_is_stored",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        AppendResult result = super.store(append, tail, number);
                        return new AppendResult(
                            result.firstVersion(),
                            result.version(),
                            new Position(number << INDEX_BITS));
                      }
                    })),
        new Mutant(
            "texts are cut after 255 chars",
            suite,
            "S9_long_texts_come_back_equal_or_are_refused",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        return super.append(mapped(append, text -> cut(text, 255)));
                      }

                      private static String cut(String text, int length) {
                        return text.length() > length ? text.substring(0, length) : text;
                      }
                    })),
        new Mutant(
            "a message's subject is cut at its first NUL",
            suite,
            "S9_chars_that_not_every_store_holds_are_stored_or_refused_as_declared",
            refusing(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        for (NewEvent event : append.events()) {
                          refuseBad(event.type());
                          for (IntegrationMessage m : event.messages()) {
                            refuseBad(m.type());
                            refuseBad(m.key());
                            m.correlationId().ifPresent(Faulty::refuseBad);
                            m.causationId().ifPresent(Faulty::refuseBad);
                          }
                        }
                        return super.append(
                            mapped(append, text -> text.replaceFirst("(?s)(?<=.)\u0000.*", "")));
                      }
                    })));
  }
}
