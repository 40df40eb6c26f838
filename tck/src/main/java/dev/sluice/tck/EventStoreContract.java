package dev.sluice.tck;

import static dev.sluice.tck.Given.OTHER;
import static dev.sluice.tck.Given.STREAM;
import static dev.sluice.tck.Given.THIRD;
import static dev.sluice.tck.Given.any;
import static dev.sluice.tck.Given.event;
import static dev.sluice.tck.Given.events;
import static dev.sluice.tck.Given.exactly;
import static dev.sluice.tck.Given.ids;
import static dev.sluice.tck.Given.sending;
import static dev.sluice.tck.Given.stored;
import static dev.sluice.tck.Given.texts;
import static dev.sluice.tck.Given.versions;
import static dev.sluice.tck.Given.withId;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.EventIds;
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
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamAlreadyExistsException;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TimeZone;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.parallel.Isolated;

/** Appending to streams and reading one back: S1 to S9. */
@Isolated("what all threads allocate is measured, and the default time zone is changed")
public abstract class EventStoreContract extends Contract {

  private static final int RUNNERS = 8;

  // S1: all or nothing, and durable

  @Test
  void S1_an_append_of_many_events_is_stored_whole() {
    NewEvent[] events = events("many", 1_000);
    AppendResult result = append(STREAM, events);
    assertEquals(1_000, result.version(), "S1: the version after an append of 1,000 events");
    assertEquals(stored(STREAM, 1, events), stored(readStream(STREAM)), "S1: all are stored");
  }

  @Test
  void S1_what_was_appended_is_there_after_a_restart() {
    NewEvent[] events = events("durable", 3);
    append(STREAM, events);
    restart();
    assertEquals(
        stored(STREAM, 1, events), stored(readStream(STREAM)), "S1: durable when it returned");
  }

  @Test
  void S1_an_event_that_is_refused_in_the_middle_of_a_batch_stores_nothing_of_it() {
    NewEvent taken = event("taken");
    append(OTHER, taken);
    List<RecordedEvent> before = some(readLog());
    assertThrows(
        DuplicateEventException.class,
        () ->
            append(
                STREAM,
                sending("first"),
                event("second"),
                withId(sending("third"), taken.id()),
                event("fourth")),
        "S6: the third event's id is stored in another stream");
    assertNothingChanged("S1: a batch that was refused", before);
  }

  @Test
  void S1_an_append_that_is_open_cannot_be_read() {
    append(OTHER, event("before"));
    NewEvent[] events = {sending("open 1"), sending("open 2")};
    HeldAppend held = fixture.hold(any(STREAM, events));
    assertEquals(List.of(), texts(readStream(STREAM)), "S1: nothing of an open append is read");
    assertEquals(List.of("before"), texts(readLog()), "S1: nothing of an open append is read");
    assertEquals(List.of(), readOutbox(), "O1: no message of an open append is read");
    assertEquals(
        Optional.empty(),
        storage.eventStore().find(events[0].id()),
        "S1: no event of an open append is found");
    AppendResult result = held.commit();
    assertEquals(2, result.version(), "S1: the version after the open append was committed");
    assertEquals(
        stored(STREAM, 1, events), stored(readStream(STREAM)), "S1: committed, it is there whole");
  }

  @Test
  void S1_an_append_that_is_rolled_back_leaves_nothing() {
    append(OTHER, event("before"));
    List<RecordedEvent> before = some(readLog());
    NewEvent lost = sending("rolled back");
    fixture.hold(any(STREAM, lost, sending("rolled back too"))).rollBack();
    assertNothingChanged("S1: an append that was rolled back", before);
    assertEquals(Optional.empty(), storage.eventStore().find(lost.id()), "S1: nor is it found");
    assertThereIsNoStream("next");
  }

  @Test
  void S1_an_append_whose_writer_dies_leaves_nothing() {
    append(OTHER, event("before"));
    NewEvent lost = sending("dead");
    fixture.hold(any(STREAM, lost, sending("dead too"))).kill();
    AppendResult result =
        appendInTime(new Append(STREAM, ExpectedVersion.noStream(), List.of(event("alive"))));
    assertEquals(1, result.version(), "S2: the version was not used up");
    Await.until(() -> readLog().size() >= 2, () -> "G3: a dead writer delays readers");
    assertEquals(List.of("before", "alive"), texts(readLog()), "S1: nothing of it is stored");
    assertEquals(Optional.empty(), storage.eventStore().find(lost.id()), "S1: nor is it found");
    assertEquals(List.of(), readOutbox(), "O1: nor is a message of it");
  }

  @Test
  void S1_an_append_whose_thread_is_interrupted_is_stored_whole_or_not_at_all() {
    append(THIRD, event("before"));
    for (int i = 0; i < 20; i++) {
      boolean itself = i % 2 == 0;
      Append append =
          any(StreamId.of("account", "interrupted-" + i), sending("a"), sending("b"), sending("c"));
      Task<AppendResult> appending =
          Task.start(
              () -> {
                if (itself) {
                  Thread.currentThread().interrupt();
                }
                return storage.eventStore().append(append);
              });
      if (!itself) {
        appending.interrupt();
      }
      assertWholeOrNothing(append, appending.outcome());
    }
    HeldAppend held = fixture.hold(any(STREAM, event("held")));
    Append append = any(STREAM, sending("a"), sending("b"), sending("c"));
    Task<AppendResult> waiting = Task.start(() -> storage.eventStore().append(append));
    waiting.isStillRunningAfterMillis(20);
    waiting.interrupt();
    held.rollBack();
    assertWholeOrNothing(append, waiting.outcome());
    assertEquals(21 * 3, readOutbox().size(), "O1: the messages of each append once");
  }

  private void assertWholeOrNothing(Append append, Outcome<AppendResult> outcome) {
    int stored = readStream(append.stream()).size();
    if (outcome.hasReturned()) {
      assertEquals(3, stored, "S1: an append that has returned is stored");
    } else {
      assertInstanceOf(
          StoreUnavailableException.class,
          outcome.failure(),
          "S1: an outcome that is unknown to who was interrupted");
      assertTrue(stored == 0 || stored == 3, () -> "S1: " + stored + " of 3 events are stored");
    }
    AppendResult repeated = appendInTime(append);
    assertEquals(3, repeated.version(), "S6: the repetition of one that was interrupted");
    if (outcome.hasReturned()) {
      assertEquals(outcome.value(), repeated, "S6: returns what the first try did");
    }
    assertEquals(append.ids(), ids(readStream(append.stream())), "S1: stored whole, and once");
  }

  @Test
  void S1_a_reader_sees_all_of_an_append_or_nothing_of_it() {
    int size = 5;
    AtomicBoolean done = new AtomicBoolean();
    CountDownLatch readersThatSawSome = new CountDownLatch(2);
    List<Task<Set<Integer>>> readers = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      Storage reader = open();
      readers.add(
          Task.start(
              () -> {
                Set<Integer> halves = new TreeSet<>();
                boolean sawSome = false;
                while (!done.get()) {
                  int seen = reader.eventStore().read(STREAM, StreamRange.last(1_000)).size();
                  if (seen % size != 0) {
                    halves.add(seen);
                  }
                  if (seen > 0 && !sawSome) {
                    sawSome = true;
                    readersThatSawSome.countDown();
                  }
                }
                return halves;
              }));
    }
    try {
      append(STREAM, events("first", size));
      Await.until(
          () -> readersThatSawSome.getCount() == 0,
          () -> "S7: " + readersThatSawSome.getCount() + " of 2 readers don't see an append");
      for (int i = 1; i < 60; i++) {
        append(STREAM, events("whole " + i, size));
      }
    } finally {
      done.set(true);
    }
    assertEquals(300, readStream(STREAM).size(), "S1: every append is there");
    for (Task<Set<Integer>> reader : readers) {
      assertEquals(
          Set.of(), reader.result(), "S1: numbers of events seen that are no whole appends of 5");
    }
  }

  // S2 and S3: versions, and what is expected of them

  @Test
  void S2_versions_are_consecutive_from_1_in_each_stream() {
    assertEquals(1, append(STREAM, event("a")).version(), "S2: the first event has version 1");
    assertEquals(3, append(OTHER, events("b", 3)).version(), "S2: three events end at version 3");
    AppendResult result = append(STREAM, events("c", 2));
    assertEquals(2, result.firstVersion(), "S2: the first version of the second append");
    assertEquals(3, result.version(), "S2: the last version of the second append");
    assertEquals(List.of(1L, 2L, 3L), versions(readStream(STREAM)), "S2: consecutive from 1");
    assertEquals(List.of(1L, 2L, 3L), versions(readStream(OTHER)), "S2: consecutive from 1");
  }

  @Test
  void S3_an_append_at_exactly_the_expected_version_is_stored() {
    append(STREAM, ExpectedVersion.exactly(0), events("first", 2));
    AppendResult result = append(STREAM, ExpectedVersion.exactly(2), event("next"));
    assertEquals(3, result.version(), "S3: exactly 2 is met by a stream with 2 events");
    assertEquals(List.of("first/0", "first/1", "next"), texts(readStream(STREAM)), "S3: stored");
  }

  @Test
  void S3_an_expected_version_that_is_too_low_is_refused() {
    append(STREAM, events("there", 3));
    assertConflict(ExpectedVersion.exactly(2), 3);
    assertConflict(ExpectedVersion.exactly(0), 3);
  }

  @Test
  void S3_an_expected_version_that_is_too_high_is_refused() {
    append(STREAM, events("there", 3));
    assertConflict(ExpectedVersion.exactly(4), 3);
  }

  @Test
  void S3_an_expected_version_of_an_unknown_stream_is_refused() {
    append(OTHER, event("elsewhere"));
    assertConflict(ExpectedVersion.exactly(1), 0);
  }

  @Test
  void S3_no_stream_is_met_by_an_unknown_stream() {
    append(OTHER, event("elsewhere"));
    assertEquals(
        1,
        append(STREAM, ExpectedVersion.noStream(), event("first")).version(),
        "S3: no stream is met by an unknown stream");
    assertEquals(List.of("first"), texts(readStream(STREAM)), "S3: stored");
  }

  @Test
  void S3_no_stream_is_refused_where_one_is_and_says_that_it_exists_already() {
    append(STREAM, events("there", 2));
    assertInstanceOf(
        StreamAlreadyExistsException.class,
        assertConflict(ExpectedVersion.noStream(), 2),
        "S3: a failed 'no stream' has an exception of its own, because it is never retried");
  }

  @Test
  void S3_stream_exists_is_met_by_any_event() {
    append(STREAM, event("there"));
    assertEquals(
        2, append(STREAM, ExpectedVersion.streamExists(), event("next")).version(), "S3: exists");
  }

  @Test
  void S3_stream_exists_is_refused_where_none_is() {
    append(OTHER, event("elsewhere"));
    assertConflict(ExpectedVersion.streamExists(), 0);
    assertThereIsNoStream("after a refusal");
  }

  @Test
  void S3_stream_exists_is_met_by_a_stream_that_grows_meanwhile() {
    assertNothingIsLostOf(ExpectedVersion.streamExists());
  }

  @Test
  void S3_any_is_met_by_every_stream() {
    assertEquals(1, append(STREAM, ExpectedVersion.any(), event("new")).version(), "S3: any");
    assertEquals(2, append(STREAM, ExpectedVersion.any(), event("more")).version(), "S3: any");
  }

  @Test
  void S3_an_append_without_events_is_refused() {
    append(OTHER, event("elsewhere"));
    List<RecordedEvent> before = some(readLog());
    assertThrows(
        IllegalArgumentException.class,
        () -> storage.eventStore().append(STREAM, ExpectedVersion.any(), List.of()),
        "S3: an append holds at least one event");
    assertNothingChanged("S3: an empty append", before);
  }

  @Test
  void S3_a_refused_append_uses_up_no_event_id() {
    append(OTHER, event("elsewhere"));
    NewEvent event = event("again");
    assertThrows(
        VersionConflictException.class,
        () -> append(STREAM, ExpectedVersion.exactly(7), event),
        "S3: exactly 7 is not met by an unknown stream");
    assertConflict(ExpectedVersion.streamExists(), 0);
    assertEquals(
        1,
        append(STREAM, ExpectedVersion.noStream(), event).version(),
        "S3: an event that was refused may be appended with its id later");
  }

  // S4: races for a version

  @Test
  void S4_of_concurrent_appends_that_expect_the_same_version_exactly_one_wins() {
    for (int round = 0; round < 20; round++) {
      assertOneWinner(ExpectedVersion.exactly(round), List.of(storage));
    }
  }

  @Test
  void S4_of_concurrent_appends_through_two_instances_exactly_one_wins() {
    List<Storage> both = List.of(storage, open());
    for (int round = 0; round < 20; round++) {
      assertOneWinner(ExpectedVersion.exactly(round), both);
    }
  }

  @Test
  void S4_of_concurrent_appends_that_expect_no_stream_exactly_one_wins() {
    List<Storage> both = List.of(storage, open());
    for (int round = 0; round < 10; round++) {
      StreamId stream = StreamId.of("account", "new-" + round);
      List<Outcome<AppendResult>> outcomes =
          race(both, i -> new Append(stream, ExpectedVersion.noStream(), List.of(event("" + i))));
      assertEquals(1, Race.winners(outcomes).size(), "S4: winners among " + outcomes);
      for (Throwable failure : Race.failures(outcomes)) {
        assertInstanceOf(
            StreamAlreadyExistsException.class, failure, "S4: what a loser is told, " + failure);
      }
      assertEquals(1, readStream(stream).size(), "S4: the losers stored nothing");
    }
  }

  @Test
  void S4_an_open_append_and_another_that_expects_the_same_version_have_one_winner() {
    append(STREAM, event("before"));
    HeldAppend held = fixture.hold(exactly(1, STREAM, sending("held")));
    Task<AppendResult> rival =
        Task.start(() -> append(STREAM, ExpectedVersion.exactly(1), sending("rival")));
    rival.isStillRunningAfterMillis(20);
    List<Outcome<AppendResult>> outcomes =
        List.of(Task.start(held::commit).outcome(), rival.outcome());
    assertEquals(1, Race.winners(outcomes).size(), "S4: winners among " + outcomes);
    VersionConflictException conflict =
        assertInstanceOf(
            VersionConflictException.class,
            Race.failures(outcomes).getFirst(),
            "S4: what the loser is told");
    assertEquals(2, conflict.actual(), "S4: the actual version that the loser is told");
    String winner = outcomes.getFirst().hasReturned() ? "held" : "rival";
    assertEquals(List.of("before", winner), texts(readStream(STREAM)), "S4: only the winner's");
    assertEquals(List.of("before", winner), texts(readLog()), "S4: only the winner's");
    assertEquals(1, readOutbox().size(), "O1: only the winner's message");
  }

  @Test
  void S4_exact_and_any_appends_mixed_keep_every_accepted_event_once() {
    List<Storage> both = List.of(storage, open());
    int each = 15;
    List<Outcome<List<UUID>>> outcomes =
        Race.of(
            RUNNERS,
            i ->
                () -> {
                  Storage mine = both.get(i % 2);
                  List<UUID> accepted = new ArrayList<>();
                  for (int n = 0; n < each; n++) {
                    NewEvent event = event("mixed " + i + "/" + n);
                    try {
                      ExpectedVersion expected =
                          i < RUNNERS / 2
                              ? ExpectedVersion.any()
                              : ExpectedVersion.exactly(version(mine));
                      mine.eventStore().append(new Append(STREAM, expected, List.of(event)));
                      accepted.add(event.id());
                    } catch (VersionConflictException e) {
                      assertTrue(i >= RUNNERS / 2, () -> "S5: any was told of a conflict: " + e);
                    }
                  }
                  return accepted;
                });
    assertEquals(List.of(), Race.failures(outcomes), "S5: no other failure");
    List<UUID> accepted = outcomes.stream().flatMap(o -> o.value().stream()).toList();
    List<RecordedEvent> stream = readStream(STREAM);
    assertEquals(
        new HashSet<>(accepted), new HashSet<>(ids(stream)), "S4: stored is what was accepted");
    assertEquals(accepted.size(), stream.size(), "S4: each accepted event once");
    assertVersionsConsecutive(stream);
    assertTrue(
        accepted.size() >= RUNNERS / 2 * each, "S5: every append that expected any was accepted");
  }

  @Test
  void S4_reload_and_retry_converges_and_applies_each_command_once() {
    List<Storage> both = List.of(storage, open());
    int each = 10;
    List<Outcome<Integer>> outcomes =
        Race.of(
            RUNNERS,
            i ->
                () -> {
                  EventCounter counter = new EventCounter(both.get(i % 2));
                  for (int n = 0; n < each; n++) {
                    counter.add("command " + i + "/" + n);
                  }
                  return counter.conflicts;
                });
    assertEquals(List.of(), Race.failures(outcomes), "S4: every command gets through");
    List<RecordedEvent> stream = readStream(STREAM);
    assertEquals(RUNNERS * each, stream.size(), "S4: events after 80 commands");
    assertEquals(
        RUNNERS * each, new HashSet<>(texts(stream)).size(), "S4: each command is applied once");
    assertVersionsConsecutive(stream);
  }

  private static final class EventCounter {

    private final Storage storage;
    private int conflicts;

    EventCounter(Storage storage) {
      this.storage = storage;
    }

    void add(String text) {
      while (true) {
        try {
          storage.eventStore().append(exactly(version(storage), STREAM, event(text)));
          return;
        } catch (VersionConflictException e) {
          conflicts++;
        }
      }
    }
  }

  // S5: any

  @Test
  void S5_concurrent_appends_that_expect_any_are_all_stored_and_return_what_is_stored() {
    List<Storage> both = List.of(storage, open());
    int each = 15;
    record Appended(List<UUID> ids, AppendResult result) {}
    List<Outcome<List<Appended>>> outcomes =
        Race.of(
            RUNNERS,
            i ->
                () -> {
                  List<Appended> mine = new ArrayList<>();
                  for (int n = 0; n < each; n++) {
                    Append append = any(STREAM, events("any " + i + "/" + n, 1 + n % 3));
                    mine.add(
                        new Appended(append.ids(), both.get(i % 2).eventStore().append(append)));
                  }
                  return mine;
                });
    assertEquals(List.of(), Race.failures(outcomes), "S5: no caller sees a technical conflict");
    List<RecordedEvent> stream = readStream(STREAM);
    assertEquals(RUNNERS * each * 2, stream.size(), "S5: every event is kept");
    assertVersionsConsecutive(stream);
    for (Outcome<List<Appended>> outcome : outcomes) {
      for (Appended appended : outcome.value()) {
        int from = (int) appended.result().firstVersion() - 1;
        int to = (int) appended.result().version();
        assertEquals(
            appended.ids(),
            ids(stream.subList(from, to)),
            "S5: the events at the versions that the append returned");
        assertEquals(
            stream.get(to - 1).position(),
            appended.result().position(),
            "S5: the position that the append returned is that of its last event");
      }
    }
  }

  @Test
  void S5_an_append_held_open_loses_nothing_when_others_are_added_to_its_stream() {
    assertNothingIsLostOf(ExpectedVersion.any());
  }

  private void assertNothingIsLostOf(ExpectedVersion expected) {
    append(STREAM, event("before"));
    HeldAppend held =
        fixture.hold(new Append(STREAM, expected, List.of(sending("held 1"), sending("held 2"))));
    Task<AppendResult> other = Task.start(() -> append(STREAM, sending("other")));
    other.isStillRunningAfterMillis(20);
    Task<AppendResult> late = Task.start(held::commit);
    AppendResult heldResult = late.result();
    AppendResult otherResult = other.result();
    List<RecordedEvent> stream = readStream(STREAM);
    assertEquals(List.of(1L, 2L, 3L, 4L), versions(stream), "S2: consecutive, nothing lost");
    assertEquals(
        "held 2", texts(stream).get((int) heldResult.version() - 1), "S5: the version returned");
    assertEquals(
        "other", texts(stream).get((int) otherResult.version() - 1), "S5: the version returned");
    assertEquals(ids(stream), ids(readLog()), "G1: the order of all events contains the stream's");
    assertEquals(
        texts(stream).subList(1, 4),
        readOutbox().stream().map(m -> m.message().data().toUtf8()).toList(),
        "O2: the messages in the order of their events, none lost");
  }

  // S6: repetitions and duplicates

  @Test
  void S6_a_repeated_append_stores_nothing_twice_and_returns_what_the_first_did() {
    append(STREAM, events("earlier", 2));
    Append append = exactly(2, STREAM, sending("once"), sending("and once"));
    AppendResult first = storage.eventStore().append(append);
    assertEquals(3, first.firstVersion(), "S2: the first version of the first try");
    assertEquals(4, first.version(), "S2: the last version of the first try");
    append(STREAM, event("later"));
    List<RecordedEvent> before = some(readLog());
    assertEquals(first, storage.eventStore().append(append), "S6: the result of the repetition");
    assertEquals(ids(before), ids(readLog()), "S6: nothing is stored twice");
    assertEquals(2, readOutbox().size(), "S6: nor are its messages");
  }

  @Test
  void S6_a_repeated_append_is_recognised_whatever_it_expects() {
    for (ExpectedVersion expected :
        List.of(ExpectedVersion.any(), ExpectedVersion.noStream(), ExpectedVersion.exactly(0))) {
      assertRepeated(StreamId.of("account", "repeated-" + expected), expected, 0);
    }
    for (ExpectedVersion expected :
        List.of(
            ExpectedVersion.any(), ExpectedVersion.streamExists(), ExpectedVersion.exactly(2))) {
      StreamId stream = StreamId.of("order", "repeated-" + expected);
      append(stream, events("earlier", 2));
      assertRepeated(stream, expected, 2);
    }
  }

  private void assertRepeated(StreamId stream, ExpectedVersion expected, int earlier) {
    Append append = new Append(stream, expected, List.of(events("twice", 3)));
    AppendResult first = storage.eventStore().append(append);
    assertEquals(earlier + 1, first.firstVersion(), "S2: the first version of the first try");
    assertEquals(first, storage.eventStore().append(append), "S6: repeated with " + expected);
    assertEquals(earlier + 3, readStream(stream).size(), "S6: repeated with " + expected);
  }

  @Test
  void S6_events_that_stand_together_are_a_repetition_in_whichever_appends_they_came() {
    NewEvent[] first = events("first", 3);
    NewEvent[] second = events("second", 2);
    append(STREAM, event("earlier"));
    append(STREAM, first);
    append(STREAM, second);
    List<RecordedEvent> before = some(readLog());
    assertEquals(
        new AppendResult(2, 3, before.get(2).position()),
        append(STREAM, first[0], first[1]),
        "S6: the beginning of an append");
    assertEquals(
        new AppendResult(4, 5, before.get(4).position()),
        append(STREAM, first[2], second[0]),
        "S6: the end of one append and the beginning of the next");
    assertEquals(
        new AppendResult(2, 6, before.get(5).position()),
        append(
            STREAM, ExpectedVersion.exactly(1), first[0], first[1], first[2], second[0], second[1]),
        "S6: two appends as one");
    assertEquals(before, readLog(), "S6: nothing is stored twice");
  }

  @Test
  void S6_a_repeated_append_is_recognised_after_a_restart_and_by_another_instance() {
    Append append = any(STREAM, events("once", 2));
    AppendResult first = storage.eventStore().append(append);
    assertEquals(first, open().eventStore().append(append), "S6: repeated through another");
    restart();
    assertEquals(first, storage.eventStore().append(append), "S6: repeated after a restart");
    assertEquals(2, readStream(STREAM).size(), "S6: stored once");
  }

  @Test
  void S6_a_repetition_after_a_lost_reply_returns_what_the_first_try_stored() {
    Append append = exactly(0, STREAM, sending("lost"), sending("lost too"));
    AppendResult neverSeen = fixture.hold(append).commit();
    assertEquals(neverSeen, storage.eventStore().append(append), "S6: the result is the first's");
    assertEquals(2, readStream(STREAM).size(), "S6: stored once");
    assertEquals(2, readOutbox().size(), "S6: messages once");
  }

  @Test
  void S6_a_repetition_that_does_not_wait_for_its_first_try_is_stored_once() {
    Append append = exactly(0, STREAM, sending("impatient"), sending("impatient too"));
    HeldAppend held = fixture.hold(append);
    Task<AppendResult> repetition = Task.start(() -> storage.eventStore().append(append));
    repetition.isStillRunningAfterMillis(20);
    AppendResult first = Task.start(held::commit).result();
    assertEquals(first, repetition.result(), "S6: both tries return the same");
    assertEquals(List.of("impatient", "impatient too"), texts(readLog()), "S6: stored once");
    assertEquals(2, readOutbox().size(), "S6: messages once");
  }

  @Test
  void S6_a_repetition_after_the_first_writer_died_is_stored() {
    Append append = exactly(0, STREAM, sending("second try"));
    fixture.hold(append).kill();
    assertEquals(1, appendInTime(append).version(), "S6: the repetition");
    assertEquals(List.of("second try"), texts(readStream(STREAM)), "S6: stored once");
  }

  @Test
  void S6_concurrent_repetitions_of_one_append_all_return_the_same() {
    List<Storage> both = List.of(storage, open());
    for (int round = 0; round < 10; round++) {
      StreamId stream = StreamId.of("account", "impatient-" + round);
      ExpectedVersion expected =
          round % 2 == 0 ? ExpectedVersion.any() : ExpectedVersion.exactly(0);
      Append append = new Append(stream, expected, List.of(sending("a"), sending("b")));
      List<Outcome<AppendResult>> outcomes = race(both, i -> append);
      assertEquals(List.of(), Race.failures(outcomes), "S6: each of them returns");
      assertEquals(
          1, new HashSet<>(Race.winners(outcomes)).size(), "S6: the same result, " + outcomes);
      assertEquals(2, readStream(stream).size(), "S6: stored once");
    }
    assertEquals(20, readOutbox().size(), "S6: messages once");
  }

  @Test
  void S6_a_repetition_is_recognised_long_after_the_first_try() {
    Append append = exactly(0, STREAM, sending("once"), sending("once too"));
    AppendResult first = storage.eventStore().append(append);
    for (int i = 0; i < 300; i++) {
      append(i % 2 == 0 ? STREAM : OTHER, event("later " + i));
    }
    assertEquals(first, storage.eventStore().append(append), "S6: the first result");
    assertEquals(152, readStream(STREAM).size(), "S6: stored once");
    assertDuplicate(any(THIRD, append.events().getFirst()), append.ids().getFirst(), 2);
  }

  @Test
  void S6_of_an_open_append_and_one_to_another_stream_with_its_id_exactly_one_is_stored() {
    append(THIRD, event("before"));
    NewEvent event = sending("once");
    HeldAppend held = fixture.hold(any(STREAM, event));
    Task<AppendResult> rival = Task.start(() -> append(OTHER, event));
    rival.isStillRunningAfterMillis(20);
    assertOneIsStored(event, List.of(Task.start(held::commit).outcome(), rival.outcome()));
  }

  @Test
  void S6_of_concurrent_appends_of_one_id_to_several_streams_exactly_one_wins() {
    append(THIRD, event("before"));
    List<Storage> both = List.of(storage, open());
    NewEvent event = sending("once");
    assertOneIsStored(event, race(both, i -> any(StreamId.of("account", "dup-" + i), event)));
  }

  private void assertOneIsStored(NewEvent event, List<Outcome<AppendResult>> outcomes) {
    assertEquals(1, Race.winners(outcomes).size(), () -> "S6: winners among " + outcomes);
    for (Throwable failure : Race.failures(outcomes)) {
      DuplicateEventException duplicate =
          assertInstanceOf(DuplicateEventException.class, failure, "S6: what a loser is told");
      assertEquals(event.id(), duplicate.eventId(), "S6: the id that the exception names");
    }
    assertEquals(List.of("before", "once"), texts(readLog()), "S6: stored once");
    assertEquals(1, readOutbox().size(), "S6: its message once");
  }

  @Test
  void S6_an_id_that_is_stored_in_another_stream_is_a_duplicate() {
    NewEvent event = event("here");
    append(STREAM, event);
    assertDuplicate(any(OTHER, event), event.id());
    assertDuplicate(exactly(0, OTHER, event), event.id());
  }

  @Test
  void S6_an_id_that_is_stored_in_another_append_to_the_same_stream_is_a_duplicate() {
    NewEvent[] events = events("there", 3);
    append(STREAM, events);
    assertDuplicate(any(STREAM, events[1], event("new")), events[1].id());
    assertDuplicate(any(STREAM, event("new"), events[2]), events[2].id());
    assertDuplicate(any(STREAM, events[0], events[2]), events[0].id());
    assertDuplicate(any(STREAM, events[1], events[0]), null);
    assertDuplicate(any(STREAM, events[0], events[1], events[2], event("new")), null);
  }

  @Test
  void S6_an_id_twice_in_one_append_is_a_duplicate() {
    append(OTHER, event("elsewhere"));
    NewEvent event = event("twice");
    List<RecordedEvent> before = some(readLog());
    DuplicateEventException duplicate =
        assertThrows(
            DuplicateEventException.class,
            () -> append(STREAM, event, withId(event("other"), event.id())),
            "S6: one id twice in one append");
    assertEquals(event.id(), duplicate.eventId(), "S6: the id that the exception names");
    assertNothingChanged("S6: an append with one id twice", before);
  }

  @Test
  void S6_a_stored_event_is_found_by_its_id() {
    NewEvent[] events = events("found", 3);
    append(OTHER, event("elsewhere"));
    append(STREAM, events);
    List<RecordedEvent> stream = readStream(STREAM);
    assertEquals(3, stream.size(), "S1: all are stored");
    for (int i = 0; i < 3; i++) {
      UUID id = events[i].id();
      assertEquals(
          Optional.of(new StoredEvent(id, STREAM, i + 1, stream.get(i).position())),
          storage.eventStore().find(id),
          "S6: where an event of three is stored");
    }
    assertEquals(Optional.empty(), storage.eventStore().find(EventIds.next()), "S6: an unknown id");
  }

  // S7 and S8: reading

  @Test
  void S7_a_read_after_an_append_returned_sees_it_from_any_instance() {
    List<Storage> all = List.of(storage, open(), open());
    for (int i = 0; i < 30; i++) {
      all.get(i % 3).eventStore().append(any(STREAM, event("seen " + i)));
      for (Storage reader : all) {
        assertEquals(
            i + 1, readStream(reader, STREAM).size(), "S7: events seen after the append returned");
      }
    }
  }

  @Test
  void S8_a_stream_is_read_forwards_from_any_version() {
    appendSeven();
    assertRead(StreamRange.forwards(1, 100), 1, 2, 3, 4, 5, 6, 7);
    assertRead(StreamRange.forwards(1, 3), 1, 2, 3);
    assertRead(StreamRange.forwards(4, 3), 4, 5, 6);
    assertRead(StreamRange.forwards(6, 3), 6, 7);
    assertRead(StreamRange.forwards(7, 1), 7);
  }

  private void appendSeven() {
    append(STREAM, events("a", 3));
    append(STREAM, event("b"));
    append(STREAM, events("c", 3));
  }

  @Test
  void S8_a_stream_is_read_backwards_from_any_version() {
    appendSeven();
    assertRead(StreamRange.last(100), 7, 6, 5, 4, 3, 2, 1);
    assertRead(StreamRange.last(2), 7, 6);
    assertRead(StreamRange.backwards(5, 2), 5, 4);
    assertRead(StreamRange.backwards(2, 10), 2, 1);
    assertRead(StreamRange.backwards(100, 1), 7);
  }

  @Test
  void S8_past_the_end_and_in_an_unknown_stream_there_is_nothing() {
    append(STREAM, events("e", 2));
    assertRead(StreamRange.forwards(3, 10));
    assertRead(StreamRange.forwards(Long.MAX_VALUE, StreamRange.MAX_LIMIT));
    assertRead(StreamRange.forwards(2, StreamRange.MAX_LIMIT), 2);
    assertEquals(List.of(), readStream(OTHER), "S8: an unknown stream is empty");
    assertEquals(
        List.of(),
        storage.eventStore().read(OTHER, StreamRange.last(5)),
        "S8: an unknown stream is empty, backwards too");
  }

  @Test
  void S8_a_long_stream_is_read_in_pages_without_a_gap() {
    for (int i = 0; i < 5; i++) {
      append(STREAM, events("page " + i, 500));
    }
    assertEquals(
        LongStream.rangeClosed(1, 2_500).boxed().toList(),
        versions(readStream(STREAM)),
        "S8: versions over several pages");
    assertEquals(
        LongStream.rangeClosed(1_999, 2_500).boxed().toList(),
        versions(storage.eventStore().readFrom(STREAM, 1_999).toList()),
        "S8: versions from 1,999 on");
    assertEquals(
        2_500,
        storage.eventStore().read(STREAM, StreamRange.forwards(1, 10_000)).size(),
        "S8: less than the limit are returned only where the stream ends");
    assertEquals(
        2_500,
        storage.eventStore().read(STREAM, StreamRange.last(10_000)).size(),
        "S8: the same backwards");
  }

  @Test
  void S8_streams_with_similar_names_are_kept_apart() {
    List<String> ids = new ArrayList<>();
    Collections.addAll(ids, "4", "42", "420", "42-1", "42_1", "42%", "42%1", "42x1", "%", "_", "*");
    Collections.addAll(ids, "abc", "ABC", "Abc", "äbc", "a\u0308bc", "ß", "ss", "ı", "i", "I");
    Collections.addAll(ids, "42 ", " 42", "a/b", "a\\b", "a'b", "a\"b", "a.b", "$a", "日本", "😀");
    String longest = "x".repeat(StreamId.MAX_ID_LENGTH - 1);
    Collections.addAll(ids, longest + "1", longest + "2", "😀".repeat(127), "語".repeat(255));
    List<StreamId> streams =
        new ArrayList<>(ids.stream().map(id -> new StreamId("a", id)).toList());
    streams.add(StreamId.of("ab", "42"));
    streams.add(StreamId.of("A", "42"));
    streams.add(StreamId.of("a.b", "42"));
    streams.add(StreamId.of("a_b", "42"));
    streams.add(StreamId.of("axb", "42"));
    for (StreamId stream : streams) {
      AppendResult result =
          append(stream, ExpectedVersion.noStream(), event("of " + stream), event("more"));
      assertEquals(2, result.version(), () -> "S8: the version of " + stream);
    }
    for (StreamId stream : streams) {
      List<RecordedEvent> events = readStream(stream);
      assertEquals(
          List.of("of " + stream, "more"), texts(events), () -> "S8: the events of " + stream);
      assertEquals(stream, events.getFirst().stream(), "S9: the stream's name comes back equal");
    }
  }

  @Test
  void S8_reads_under_concurrent_appends_neither_skip_nor_repeat() {
    EventStore reader = open().eventStore();
    AtomicLong next = new AtomicLong(1);
    Tail<Long> tail =
        () ->
            reader
                .readFrom(STREAM, next.get())
                .map(RecordedEvent::version)
                .peek(version -> next.set(version + 1))
                .toList();
    List<List<Long>> seen =
        seenWhile(
            List.of(tail),
            4,
            i ->
                () -> {
                  for (int n = 0; n < 25; n++) {
                    append(STREAM, events("e", 1 + n % 4));
                  }
                  return i;
                });
    assertEquals(
        List.of(LongStream.rangeClosed(1, 4 * 61).boxed().toList()),
        seen,
        "S8: the versions that a reader saw while others appended");
  }

  @Test
  void S8_a_page_that_was_read_does_not_change_and_cannot_change_the_store() {
    append(STREAM, event("one"));
    List<RecordedEvent> page = storage.eventStore().read(STREAM, StreamRange.forwards(1, 10));
    append(STREAM, event("two"));
    assertEquals(List.of("one"), texts(page), "S8: a page stays as it was read");
    try {
      page.clear();
    } catch (UnsupportedOperationException e) {
      assertEquals(1, page.size(), "an unmodifiable page");
    }
    assertEquals(List.of("one", "two"), texts(readStream(STREAM)), "S8: the store is as before");
    assertEquals(List.of("one", "two"), texts(readLog()), "S8: the store is as before");
  }

  @Test
  void S8_200_000_events_are_read_in_bounded_memory() {
    int count = 200_000;
    int perAppend = 2_000;
    String text = "x".repeat(150);
    for (int i = 0; i < count / perAppend; i++) {
      append(STREAM, events(text, perAppend));
    }
    EventStore store = storage.eventStore();
    GlobalLog log = storage.globalLog();
    // All of them are more than 80 MB as objects.
    long page = 12_000_000;
    long alive = 30_000_000;
    Memory.assertAllocatesAtMost(
        page,
        "S8: a page in the middle of a stream of 200,000 events",
        () ->
            assertEquals(
                100,
                store.read(STREAM, StreamRange.forwards(count / 2, 100)).size(),
                "S8: as many as asked for"));
    Memory.assertAllocatesAtMost(
        page,
        "S8: the last 100 events of a stream of 200,000",
        () ->
            assertEquals(
                count,
                store.read(STREAM, StreamRange.last(100)).getFirst().version(),
                "S8: the last one first"));
    Memory.assertAllocatesAtMost(
        page,
        "G1: a page of a log of 200,000 events",
        () ->
            assertEquals(
                100,
                log.read(Position.START, EventFilter.ALL, 100).events().size(),
                "G1: as many as asked for"));

    Memory memory = new Memory();
    Iterator<RecordedEvent> all = store.readFrom(STREAM, 1).iterator();
    for (int version = 1; version <= count; version++) {
      assertEquals(version, all.next().version(), "S8: the next event");
      if (version % (count / 2) == 1) {
        memory.assertGrewAtMost(alive, "S8: reading 200,000 events of a stream, at " + version);
      }
    }
    assertFalse(all.hasNext(), "S8: there are 200,000");
    memory.assertGrewAtMost(alive, "S8: having read 200,000 events of a stream");

    Position cursor = Position.START;
    int read = 0;
    for (LogPage next = log.read(cursor, EventFilter.ALL, 1_000);
        !next.events().isEmpty();
        next = log.read(cursor, EventFilter.ALL, 1_000)) {
      read += next.events().size();
      cursor = next.next();
    }
    assertEquals(count, read, "G1: all events of the log");
    memory.assertGrewAtMost(alive, "G1: having read 200,000 events of the log");
  }

  // S9: what is stored comes back equal

  @Test
  void S9_payload_and_metadata_come_back_byte_by_byte() {
    byte[] bytes = new byte[256 * 3];
    IntStream.range(0, bytes.length).forEach(i -> bytes[i] = (byte) i);
    List<Payload> payloads =
        List.of(
            Payload.of(bytes),
            Payload.EMPTY,
            Payload.of(new byte[1]),
            Payload.ofUtf8("{\"b\": 1,  \"a\": 1.0, \"a\": 1e400}"),
            Payload.ofUtf8("Grüezi, 日本, 😀, \u0000, \uFFFF"),
            Payload.of(new byte[1_000_000]));
    List<NewEvent> events = new ArrayList<>();
    for (Payload data : payloads) {
      for (Payload metadata : List.of(Payload.EMPTY, data)) {
        events.add(new NewEvent(EventIds.next(), "bytes", Given.TIME, data, metadata, List.of()));
      }
    }
    storage.eventStore().append(STREAM, ExpectedVersion.any(), events);
    List<RecordedEvent> stream = readStream(STREAM);
    List<RecordedEvent> log = readLog();
    assertEquals(events.size(), stream.size(), "S9: events read");
    assertEquals(stream, log, "S9: the log returns the same events as the stream");
    for (int i = 0; i < events.size(); i++) {
      assertEquals(events.get(i).data(), stream.get(i).data(), "S9: data " + i);
      assertEquals(events.get(i).metadata(), stream.get(i).metadata(), "S9: metadata " + i);
    }
  }

  @Test
  void S9_times_keep_their_microseconds_and_their_range() {
    List<Instant> times =
        List.of(
            Instant.parse("2026-03-29T01:30:00.123456Z"),
            // One hour apart, and the same time on a clock in Berlin.
            Instant.parse("2026-10-25T00:30:00.000001Z"),
            Instant.parse("2026-10-25T01:30:00.000001Z"),
            Instant.parse("1969-12-31T23:59:59.999999Z"),
            Instant.EPOCH,
            Instant.parse("1582-10-10T12:00:00Z"),
            Instant.parse("0001-01-01T00:00:00Z"),
            Instant.parse("9999-12-31T23:59:59.999999Z"));
    List<NewEvent> events =
        times.stream()
            .map(
                time ->
                    new NewEvent(
                        EventIds.next(),
                        "timed",
                        time,
                        Payload.ofUtf8("t"),
                        Payload.EMPTY,
                        List.of(sentAt(time))))
            .toList();
    TimeZone before = TimeZone.getDefault();
    try {
      TimeZone.setDefault(TimeZone.getTimeZone("Europe/Berlin"));
      open().eventStore().append(STREAM, ExpectedVersion.any(), events);
      TimeZone.setDefault(TimeZone.getTimeZone("America/New_York"));
      restart();
      assertEquals(
          times,
          readStream(STREAM).stream().map(RecordedEvent::time).toList(),
          "S9: times in UTC, to the microsecond");
      assertEquals(
          times,
          readLog().stream().map(RecordedEvent::time).toList(),
          "S9: the same times in the log");
      assertEquals(
          times,
          readOutbox().stream().map(m -> m.message().time()).toList(),
          "S9: the same times of messages");
    } finally {
      TimeZone.setDefault(before);
    }
  }

  private static IntegrationMessage sentAt(Instant time) {
    return new IntegrationMessage(
        EventIds.next(),
        "timed",
        "key",
        "subject",
        time,
        Payload.ofUtf8("t"),
        Optional.empty(),
        Optional.empty());
  }

  @Test
  void S9_chars_that_not_every_store_holds_are_stored_or_refused_as_declared() {
    append(OTHER, event("before"));
    for (String text : List.of("a\u0000b", "\uD800", "x\uDC00y")) {
      assertStoredOrRefused(event(text, "in the type"), text);
      for (IntegrationMessage message :
          List.of(
              message("type", text, "key", "subject", "correlation", "causation"),
              message("type", "type", text, "subject", "correlation", "causation"),
              message("type", "type", "key", text, "correlation", "causation"),
              message("type", "type", "key", "subject", text, "causation"),
              message("type", "type", "key", "subject", "correlation", text))) {
        assertStoredOrRefused(event("sent", "in a message", message), text);
      }
    }
  }

  private static IntegrationMessage message(
      String data, String type, String key, String subject, String correlation, String causation) {
    return new IntegrationMessage(
        EventIds.next(),
        type,
        key,
        subject,
        Given.TIME,
        Payload.ofUtf8(data),
        Optional.of(correlation),
        Optional.of(causation));
  }

  private void assertStoredOrRefused(NewEvent event, String text) {
    List<RecordedEvent> before = some(readLog());
    if (can(Capability.ANY_CHARS)) {
      append(STREAM, event);
      assertEquals(event.type(), readStream(STREAM).getLast().type(), "S9: the type");
      if (!event.messages().isEmpty()) {
        assertEquals(
            event.messages().getFirst(), readOutbox().getLast().message(), "S9: the message");
      }
    } else {
      assertThrows(
          NotStorableException.class,
          () -> append(STREAM, event("fine"), event),
          () -> "S9: ANY_CHARS is declared absent, so \\u%04x is refused".formatted(odd(text)));
      assertNothingChanged("S9: an event that the store can't hold", before);
    }
  }

  private static int odd(String text) {
    return text.chars().filter(c -> c == 0 || c >= 0xD800).findFirst().orElseThrow();
  }

  @Test
  void S9_long_texts_come_back_equal_or_are_refused() {
    append(OTHER, event("before"));
    List<RecordedEvent> before = some(readLog());
    String text = "long ä ".repeat(150);
    String key = text.substring(0, 800);
    NewEvent event =
        event(text.substring(0, 500), "long", message("long", text, key, text, text, text));
    try {
      append(STREAM, event);
    } catch (NotStorableException refused) {
      assertNothingChanged("S9: a text that is too long for the store", before);
      return;
    }
    assertEquals(stored(STREAM, 1, event), stored(readStream(STREAM)), "S9: a long event type");
    assertEquals(event.messages().getFirst(), readOutbox().getFirst().message(), "S9: long texts");
  }

  @Test
  void S9_an_append_of_20_MB_is_stored_or_refused_as_declared() {
    append(OTHER, event("before"));
    List<RecordedEvent> before = some(readLog());
    NewEvent[] events = new NewEvent[20];
    for (int i = 0; i < events.length; i++) {
      byte[] bytes = new byte[1_000_000];
      bytes[i] = 1;
      events[i] =
          new NewEvent(
              EventIds.next(), "large", Given.TIME, Payload.of(bytes), Payload.EMPTY, List.of());
    }
    if (can(Capability.LARGE_APPENDS)) {
      append(STREAM, events);
      List<RecordedEvent> stream = readStream(STREAM);
      assertEquals(20, stream.size(), "S9: an append of 20 MB is stored whole");
      for (int i = 0; i < events.length; i++) {
        assertEquals(events[i].data(), stream.get(i).data(), "S9: its event " + i);
      }
    } else {
      NotStorableException refused =
          assertThrows(
              NotStorableException.class,
              () -> append(STREAM, events),
              "S9: LARGE_APPENDS is declared absent, so an append of 20 MB is refused");
      assertTrue(
          String.valueOf(refused.getMessage()).matches("(?s).*\\d.*"),
          () -> "S9: the message says the limit: " + refused.getMessage());
      assertNothingChanged("S9: an append over the limit", before);
    }
  }

  @Test
  void a_storage_that_was_closed_refuses_calls_and_may_be_closed_again() {
    Storage closed = open();
    closed.eventStore().append(any(STREAM, event("before")));
    closed.close();
    closed.close();
    List<Executable> calls =
        List.of(
            () -> closed.eventStore().append(any(STREAM, event("after"))),
            () -> closed.eventStore().read(STREAM, StreamRange.last(1)),
            () -> closed.eventStore().find(EventIds.next()),
            () -> closed.globalLog().read(Position.START, EventFilter.ALL, 1),
            () -> closed.globalLog().status(),
            () -> closed.outbox().read(Position.START, 1),
            () -> closed.checkpoints().load("view"),
            () -> closed.snapshots().load(STREAM, "v1"),
            () -> closed.leases().acquire("view", "owner", Duration.ofSeconds(1)));
    for (int i = 0; i < calls.size(); i++) {
      int which = i;
      assertThrows(
          RuntimeException.class,
          calls.get(i),
          () -> "a closed storage: call " + which + " of " + calls.size() + " is to be refused");
    }
    assertEquals(List.of("before"), texts(readStream(STREAM)), "others on the data go on");
  }

  // what several tests ask

  private void assertNothingChanged(String after, List<RecordedEvent> before) {
    assertEquals(stored(before), stored(readLog()), after + " leaves the log untouched");
    assertEquals(
        before.stream().filter(e -> e.stream().equals(STREAM)).map(RecordedEvent::id).toList(),
        ids(readStream(STREAM)),
        after + " leaves the stream untouched");
    assertEquals(List.of(), readOutbox(), after + " leaves the outbox untouched");
  }

  private void assertThereIsNoStream(String next) {
    assertConflict(ExpectedVersion.streamExists(), 0);
    assertEquals(
        1,
        append(STREAM, ExpectedVersion.noStream(), event(next)).version(),
        "S3: what was not stored makes no stream, and uses up no version");
  }

  private VersionConflictException assertConflict(ExpectedVersion expected, long actual) {
    List<RecordedEvent> before = readLog();
    VersionConflictException conflict =
        assertThrows(
            VersionConflictException.class,
            () -> append(STREAM, expected, sending("refused"), sending("refused too")),
            () -> "S3: " + expected + " is not met by a stream at version " + actual);
    assertEquals(STREAM, conflict.stream(), "S4: the stream that the conflict names");
    assertEquals(expected, conflict.expected(), "S4: the expected version that it names");
    assertEquals(actual, conflict.actual(), "S4: the actual version that it names");
    assertNothingChanged("S3: a conflict", some(before));
    return conflict;
  }

  private void assertDuplicate(Append append, @Nullable UUID id) {
    assertDuplicate(append, id, 0);
  }

  private void assertDuplicate(Append append, @Nullable UUID id, int messages) {
    List<RecordedEvent> before = some(readLog());
    DuplicateEventException duplicate =
        assertThrows(
            DuplicateEventException.class,
            () -> storage.eventStore().append(append),
            "S6: ids that are stored, but not as the repetition of the same append");
    if (id != null) {
      assertEquals(id, duplicate.eventId(), "S6: the id that the exception names");
    }
    assertEquals(stored(before), stored(readLog()), "S6: a duplicate leaves the log untouched");
    assertEquals(messages, readOutbox().size(), "O1: no message of a duplicate");
  }

  private void assertOneWinner(ExpectedVersion expected, List<Storage> storages) {
    List<Outcome<AppendResult>> outcomes =
        race(storages, i -> new Append(STREAM, expected, List.of(event("runner " + i))));
    List<AppendResult> winners = Race.winners(outcomes);
    assertEquals(1, winners.size(), () -> "S4: winners among " + outcomes);
    AppendResult winner = winners.getFirst();
    for (Throwable failure : Race.failures(outcomes)) {
      VersionConflictException conflict =
          assertInstanceOf(
              VersionConflictException.class, failure, "S4: what a loser is told, " + failure);
      assertEquals(STREAM, conflict.stream(), "S4: the stream that a loser is told");
      assertEquals(expected, conflict.expected(), "S4: the expected version that it is told");
      assertEquals(winner.version(), conflict.actual(), "S4: the actual version that it is told");
    }
    RecordedEvent last = readStream(STREAM).getLast();
    assertEquals(winner.version(), last.version(), "S4: the losers stored nothing");
    assertEquals(
        "runner " + indexOfWinner(outcomes), last.data().toUtf8(), "S4: stored is the winner's");
    assertEquals(winner.position(), last.position(), "S4: the position that the winner is told");
  }

  private static int indexOfWinner(List<Outcome<AppendResult>> outcomes) {
    return IntStream.range(0, outcomes.size())
        .filter(i -> outcomes.get(i).hasReturned())
        .findFirst()
        .orElseThrow();
  }

  private static List<Outcome<AppendResult>> race(
      List<Storage> storages, IntFunction<Append> append) {
    return Race.of(
        RUNNERS,
        i -> {
          Append mine = append.apply(i);
          Callable<AppendResult> call =
              () -> storages.get(i % storages.size()).eventStore().append(mine);
          return call;
        });
  }

  private static long version(Storage storage) {
    List<RecordedEvent> last = storage.eventStore().read(STREAM, StreamRange.last(1));
    return last.isEmpty() ? 0 : last.getFirst().version();
  }

  private void assertRead(StreamRange range, long... versions) {
    assertEquals(
        LongStream.of(versions).boxed().toList(),
        versions(storage.eventStore().read(STREAM, range)),
        () -> "S8: versions read with " + range);
  }

  private static void assertVersionsConsecutive(List<RecordedEvent> stream) {
    assertEquals(
        LongStream.rangeClosed(1, some(stream).size()).boxed().toList(),
        versions(stream),
        "S2: versions are consecutive from 1");
    for (int i = 1; i < stream.size(); i++) {
      Position earlier = stream.get(i - 1).position();
      Position later = stream.get(i).position();
      assertTrue(
          later.isAfter(earlier),
          () -> "G1: positions increase along a stream, but " + earlier + " comes before " + later);
    }
  }
}
