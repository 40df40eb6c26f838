package dev.sluice.tck;

import static dev.sluice.tck.Given.OTHER;
import static dev.sluice.tck.Given.STREAM;
import static dev.sluice.tck.Given.THIRD;
import static dev.sluice.tck.Given.any;
import static dev.sluice.tck.Given.event;
import static dev.sluice.tck.Given.events;
import static dev.sluice.tck.Given.exactly;
import static dev.sluice.tck.Given.ids;
import static dev.sluice.tck.Given.message;
import static dev.sluice.tck.Given.messageTexts;
import static dev.sluice.tck.Given.sending;
import static dev.sluice.tck.Given.sendings;
import static dev.sluice.tck.Given.texts;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.VersionConflictException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** Reading all events in one order: G1 to G7. */
public abstract class GlobalLogContract extends Contract {

  /** No time-out may be involved; this would show one of up to two seconds. */
  private static final Duration HELD_FOR = Duration.ofSeconds(2);

  // G1: one total order

  @Test
  void G1_the_log_holds_all_events_in_the_order_of_their_appends() {
    append(STREAM, events("a", 2));
    append(OTHER, event("b"));
    append(THIRD, event("c"));
    append(STREAM, event("d"));
    List<RecordedEvent> log = readLog();
    assertEquals(List.of("a/0", "a/1", "b", "c", "d"), texts(log), "G1: in order of appends");
    assertOneOrder(log);
  }

  @Test
  void G1_the_time_of_an_event_orders_nothing() {
    for (int hours : List.of(5, 1, 9, 3)) {
      NewEvent event = event("at " + hours);
      append(
          StreamId.of("clock", "" + hours),
          new NewEvent(
              event.id(),
              event.type(),
              Given.TIME.plus(Duration.ofHours(hours)),
              event.data(),
              event.metadata(),
              List.of(Given.message("k", "at " + hours))));
    }
    assertEquals(
        List.of("at 5", "at 1", "at 9", "at 3"), texts(readLog()), "G1: in the order of appends");
    assertEquals(
        List.of("at 5", "at 1", "at 9", "at 3"),
        Given.messageTexts(readOutbox()),
        "O2: in the order of appends");
  }

  @Test
  void G1_the_log_and_the_streams_return_the_same_events() {
    append(STREAM, events("a", 2));
    append(OTHER, event("b"));
    append(STREAM, event("c"));
    List<RecordedEvent> log = readLog();
    assertEquals(4, log.size(), "G1: all events");
    for (StreamId stream : List.of(STREAM, OTHER)) {
      assertEquals(
          readStream(stream),
          log.stream().filter(event -> event.stream().equals(stream)).toList(),
          () -> "G1: the events of " + stream + ", with their positions, in both reads");
    }
  }

  @Test
  void G1_what_is_appended_after_reading_an_event_lies_behind_it() {
    Storage second = open();
    Position read = Position.START;
    for (int i = 0; i < 30; i++) {
      Storage writer = i % 2 == 0 ? storage : second;
      Storage reader = i % 2 == 0 ? second : storage;
      AppendResult result = writer.eventStore().append(any(stream(i % 3), event("cause " + i)));
      Position before = read;
      assertTrue(
          result.position().isAfter(before),
          () -> "G1: an event appended after " + before + " was read is at " + result.position());
      List<RecordedEvent> seen = readLog(reader, read, EventFilter.ALL, 10);
      assertEquals(List.of("cause " + i), texts(seen), "G6: read at once, and nothing else");
      read = seen.getLast().position();
    }
  }

  @Test
  void G1_positions_are_comparable_and_survive_as_text() {
    append(STREAM, events("a", 3));
    append(OTHER, events("b", 2));
    List<RecordedEvent> log = some(readLog());
    for (int i = 0; i < log.size(); i++) {
      Position parsed = Position.parse(log.get(i).position().toString());
      assertEquals(log.get(i).position(), parsed, "G1: a position read back from its text");
      assertEquals(
          ids(log.subList(i + 1, log.size())),
          ids(readLog(storage, parsed, EventFilter.ALL, 10)),
          "G1: reading on after a position that was kept as text");
    }
  }

  @Test
  void G1_positions_go_on_after_a_restart() {
    for (int i = 0; i < 5; i++) {
      fixture.hold(any(THIRD, event("never"))).rollBack();
      append(STREAM, events("before " + i, 3));
    }
    List<RecordedEvent> before = some(readLog());
    restart();
    assertEquals(before, readLog(), "G1: the same events at the same positions after a restart");
    for (int i = 0; i < 3; i++) {
      append(OTHER, event("after " + i));
    }
    assertEquals(
        List.of("after 0", "after 1", "after 2"),
        texts(readLog(storage, before.getLast().position(), EventFilter.ALL, 10)),
        "G2: what is appended after a restart lies behind what was read before");
    assertOneOrder(readLog());
  }

  @Test
  void G1_a_place_that_was_read_before_a_crash_is_not_given_again() {
    append(STREAM, event("read"));
    HeldAppend held = fixture.hold(any(OTHER, event("dead")));
    Task<AppendResult> beside = appendBeside(THIRD, event("beside"));
    held.kill();
    beside.result();
    Await.until(() -> readLog().size() == 2, () -> "G3: a dead writer delays readers");
    List<RecordedEvent> read = readLog();
    restart();
    append(OTHER, event("after the crash"));
    assertEquals(
        List.of("after the crash"),
        texts(readLog(storage, read.getLast().position(), EventFilter.ALL, 10)),
        "G2: nothing new at or below what was read before the crash");
  }

  @Test
  void G1_events_of_one_commit_stand_together_in_their_order_while_others_append() {
    List<Storage> both = List.of(storage, open());
    List<Outcome<Integer>> outcomes =
        Race.of(
            8,
            i ->
                () -> {
                  for (int n = 0; n < 15; n++) {
                    both.get(i % 2).eventStore().append(any(stream(i % 4), events(i + "-" + n, 4)));
                  }
                  return i;
                });
    assertEquals(List.of(), Race.failures(outcomes), "S5: no append fails");
    List<RecordedEvent> log = readLog();
    assertEquals(8 * 15 * 4, log.size(), "G1: all events");
    assertOneOrder(log);
    for (int i = 0; i < log.size(); i += 4) {
      String commit = log.get(i).data().toUtf8().replaceAll("/.*", "");
      assertEquals(
          List.of(commit + "/0", commit + "/1", commit + "/2", commit + "/3"),
          texts(log.subList(i, i + 4)),
          "G1: the four events of one commit stand together");
    }
  }

  @Test
  void G1_a_commit_of_10_000_events_keeps_its_order_and_stands_before_the_next() {
    append(OTHER, sending("before"));
    NewEvent[] events = new NewEvent[10_000];
    List<String> expected = new ArrayList<>(List.of("before"));
    for (int i = 0; i < events.length; i++) {
      events[i] = event("sent", "e" + i, message("k", "e" + i), message("k", "e" + i));
      expected.add("e" + i);
    }
    append(STREAM, events);
    append(OTHER, sending("after"));
    expected.add("after");
    List<RecordedEvent> log = readLog();
    assertEquals(expected, texts(log), "G1: a large commit, in its order");
    assertOneOrder(log);
    assertEquals(
        expected,
        messageTexts(readOutbox()).stream().distinct().toList(),
        "O2: its messages, in the order of its events");
    assertEquals(20_002, readOutbox().size(), "O1: two messages of each event");
  }

  @Test
  void G1_several_readers_see_the_same_order_while_others_append() {
    List<Storage> both = List.of(storage, open());
    List<List<RecordedEvent>> seen =
        seenWhile(
            List.of(logTail(open(), 1), logTail(open(), 7), logTail(open(), 1_000)),
            6,
            i ->
                () -> {
                  for (int n = 0; n < 40; n++) {
                    both.get(i % 2)
                        .eventStore()
                        .append(any(stream((i + n) % 5), events(i + "-" + n, 1 + n % 3)));
                  }
                  return i;
                });
    assertReadersSawTheLog(seen, 6 * (14 + 2 * 13 + 3 * 13));
  }

  @Test
  void G1_a_stream_keeps_its_order_when_an_append_that_began_first_ends_last() {
    append(STREAM, event("before"));
    HeldAppend held = fixture.hold(any(STREAM, event("began first")));
    Task<AppendResult> other = Task.start(() -> append(STREAM, event("began later")));
    other.isStillRunningAfterMillis(20);
    AppendResult late = Task.start(held::commit).result();
    other.result();
    List<RecordedEvent> log = readLog();
    assertEquals(3, log.size(), "G1: all events");
    assertOneOrder(log);
    assertEquals(ids(readStream(STREAM)), ids(log), "G1: the log contains the stream's order");
    assertEquals(
        late.position(),
        log.stream()
            .filter(event -> event.version() == late.version())
            .findFirst()
            .orElseThrow()
            .position(),
        "G1: the position that the append returned is where its event is read");
  }

  // G2: no late arrivals

  @Test
  void G2_an_append_that_ends_late_is_not_missed_by_who_has_read_on() {
    append(STREAM, sending("before"));
    HeldAppend held = fixture.hold(any(OTHER, sending("late 1"), sending("late 2")));
    Task<AppendResult> beside = appendBeside(THIRD, sending("overtakes"));
    Cursor cursor = new Cursor();
    cursor.readOn();
    held.commit();
    beside.result();
    cursor.readOn();
    cursor.assertSawTheLog(4);
  }

  @Test
  void G2_an_append_that_ends_after_seconds_is_not_missed_either() {
    append(STREAM, sending("before"));
    HeldAppend held = fixture.hold(any(OTHER, sending("very late")));
    Task<AppendResult> beside = appendBeside(THIRD, sending("overtakes"));
    Cursor cursor = new Cursor();
    long end = System.nanoTime() + HELD_FOR.toNanos();
    while (System.nanoTime() - end < 0) {
      cursor.readOn();
      LockSupport.parkNanos(10_000_000);
    }
    held.commit();
    beside.result();
    cursor.readOn();
    cursor.assertSawTheLog(3);
  }

  @Test
  void G2_appends_that_end_in_reverse_are_not_missed_by_who_has_read_on() {
    int count = can(Capability.PARALLEL_APPENDS) ? 5 : 1;
    Cursor cursor = new Cursor();
    append(STREAM, sending("before"));
    List<HeldAppend> held = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      held.add(fixture.hold(any(StreamId.of("held", "" + i), sendings("held " + i, 2))));
      cursor.readOn();
    }
    for (HeldAppend late : held.reversed()) {
      late.commit();
      cursor.readOn();
    }
    append(STREAM, sending("after"));
    cursor.readOn();
    cursor.assertSawTheLog(2 + 2 * count);
  }

  @Test
  void G2_a_restarted_reader_misses_nothing_of_an_append_that_was_open_all_the_time() {
    append(STREAM, sending("before"));
    HeldAppend held = fixture.hold(any(OTHER, sending("late")));
    Task<AppendResult> beside = appendBeside(THIRD, sending("overtakes"));
    if (can(Capability.PARALLEL_APPENDS)) {
      Storage restarted = open();
      Cursor cursor = new Cursor(restarted);
      cursor.readOn();
      held.commit();
      cursor.readOn();
      cursor.assertSawTheLog(3);
    } else {
      assertTrue(
          beside.isStillRunningAfterMillis(100),
          "PARALLEL_APPENDS is declared absent, so an append waits while another is open");
      held.commit();
      assertEquals(
          List.of("before", "late", "overtakes"),
          texts(readLogAfter(beside)),
          "G1: in the order in which they were stored");
    }
  }

  private List<RecordedEvent> readLogAfter(Task<AppendResult> task) {
    task.result();
    return readLog();
  }

  @Test
  void G2_live_readers_miss_nothing_under_holds_and_rollbacks() {
    boolean parallel = can(Capability.PARALLEL_APPENDS);
    Set<UUID> kept = ConcurrentHashMap.newKeySet();
    Callable<Integer> holder =
        () -> {
          Random random = new Random(7);
          for (int n = 0; n < 40; n++) {
            Append append = any(StreamId.of("held", "" + n % 3), events("held " + n, 2));
            HeldAppend held = fixture.hold(append);
            if (parallel) {
              append(StreamId.of("beside", "holder"), event("beside " + n));
            }
            if (random.nextInt(3) == 0) {
              held.rollBack();
            } else {
              held.commit();
              kept.addAll(append.ids());
            }
          }
          return 0;
        };
    List<List<RecordedEvent>> seen =
        seenWhile(
            List.of(logTail(open(), 3), logTail(open(), 500)),
            4,
            i ->
                i == 0
                    ? holder
                    : () -> {
                      for (int n = 0; n < 60; n++) {
                        append(stream(i), events(i + "-" + n, 1 + n % 2));
                      }
                      return i;
                    });
    assertReadersSawTheLog(seen, 3 * 90 + kept.size() + (parallel ? 40 : 0));
    assertTrue(
        new HashSet<>(ids(readLog())).containsAll(kept), "S1: what was committed is in the log");
  }

  @Test
  void G2_random_holds_rollbacks_and_kills_agree_with_an_oracle() {
    for (long seed : List.of(1L, 20L, 300L)) {
      new Oracle(seed).run(120);
    }
  }

  private record Held(Append append, HeldAppend ends) {}

  /** Does random things, and knows what the store must hold afterwards. */
  private final class Oracle {

    private final long seed;
    private final Random random;
    private final Map<StreamId, List<UUID>> expected = new HashMap<>();
    private final Map<StreamId, Held> held = new LinkedHashMap<>();
    private final Cursor cursor;
    private final int mostHeld = can(Capability.PARALLEL_APPENDS) ? 4 : 1;

    Oracle(long seed) {
      this.seed = seed;
      this.random = new Random(seed);
      this.cursor = new Cursor(storage, readLog());
    }

    void run(int steps) {
      for (int step = 0; step < steps; step++) {
        step(step);
        cursor.readOn();
      }
      while (!held.isEmpty()) {
        end(0);
      }
      append(stream(0), List.of(sending("last")));
      int all = expected.values().stream().mapToInt(List::size).sum() + cursor.before;
      Await.until(
          () -> {
            cursor.readOn();
            return cursor.seen.size() >= all;
          },
          () -> "G3, seed " + seed + ": read " + cursor.seen.size() + " events of " + all);
      cursor.assertSawTheLog(all);
      expected.forEach(
          (stream, ids) ->
              assertEquals(ids, ids(readStream(stream)), () -> "S1, seed " + seed + ": " + stream));
    }

    private void step(int step) {
      StreamId stream = stream(random.nextInt(6));
      List<NewEvent> events = List.of(sendings("step " + step, 1 + random.nextInt(3)));
      boolean mayAppend = held.isEmpty() || can(Capability.PARALLEL_APPENDS);
      switch (random.nextInt(4)) {
        case 0, 1 -> {
          if (!held.containsKey(stream) && mayAppend) {
            append(stream, events);
          }
        }
        case 2 -> {
          if (held.size() < mostHeld && !held.containsKey(stream)) {
            Append append = new Append(stream, expectation(stream), events);
            held.put(stream, new Held(append, fixture.hold(append)));
          }
        }
        default -> {
          if (!held.isEmpty()) {
            end(random.nextInt(4));
          }
        }
      }
    }

    private StreamId stream(int number) {
      return StreamId.of("oracle" + seed, "" + number);
    }

    private void append(StreamId stream, List<NewEvent> events) {
      Append append = new Append(stream, expectation(stream), events);
      AppendResult result = storage.eventStore().append(append);
      keep(append);
      assertEquals(
          expected.getOrDefault(stream, List.of()).size(),
          result.version(),
          () -> "S2, seed " + seed + ": " + stream);
    }

    private ExpectedVersion expectation(StreamId stream) {
      return random.nextBoolean()
          ? ExpectedVersion.any()
          : ExpectedVersion.exactly(expected.getOrDefault(stream, List.of()).size());
    }

    private void end(int how) {
      List<Held> open = new ArrayList<>(held.values());
      Held ending = open.get(random.nextInt(open.size()));
      held.remove(ending.append().stream());
      switch (how) {
        case 0, 1 -> {
          ending.ends().commit();
          keep(ending.append());
        }
        case 2 -> ending.ends().rollBack();
        default -> ending.ends().kill();
      }
    }

    private void keep(Append append) {
      expected.computeIfAbsent(append.stream(), s -> new ArrayList<>()).addAll(append.ids());
    }
  }

  // G3 to G6: who is waited for

  @Test
  void G3_an_append_that_rolls_back_delays_nobody() {
    append(STREAM, event("before"));
    HeldAppend held = fixture.hold(any(OTHER, event("never")));
    Task<AppendResult> beside = appendBeside(THIRD, event("beside"));
    held.rollBack();
    beside.result();
    assertEquals(
        List.of("before", "beside"), texts(readLog()), "G3: readable at once after a rollback");
    assertEquals(
        Optional.empty(), storage.globalLog().status().heldBackBy(), "G3: nobody is waited for");
  }

  @Test
  void G3_an_append_that_is_refused_delays_nobody() {
    NewEvent first = event("first");
    append(STREAM, first);
    for (int i = 0; i < 5; i++) {
      assertThrows(
          VersionConflictException.class,
          () -> append(STREAM, ExpectedVersion.exactly(7), event("conflict")),
          "S3: exactly 7 is not met");
      assertThrows(
          DuplicateEventException.class, () -> append(OTHER, first), "S6: the id is taken");
      append(THIRD, event("after " + i));
      assertEquals(i + 2, readLog().size(), "G3: all is readable at once after a refused append");
    }
  }

  @Test
  void G3_an_open_append_that_loses_its_race_delays_nobody() {
    append(STREAM, event("before"));
    HeldAppend held = fixture.hold(exactly(1, STREAM, event("held")));
    Task<AppendResult> rival =
        Task.start(() -> append(STREAM, ExpectedVersion.exactly(1), event("rival")));
    rival.isStillRunningAfterMillis(20);
    Task.start(held::commit).outcome();
    rival.outcome();
    append(OTHER, event("after"));
    List<RecordedEvent> log = readLog();
    assertEquals(3, log.size(), () -> "G3: before, one of the two, and after; seen " + texts(log));
    assertEquals("after", texts(log).getLast(), "G3: readable at once");
  }

  @Test
  void G3_a_writer_that_died_delays_readers_only_until_the_store_notices() {
    append(STREAM, event("before"));
    HeldAppend held = fixture.hold(any(OTHER, event("dead")));
    Task<AppendResult> beside = appendBeside(THIRD, event("beside"));
    held.kill();
    beside.result();
    Await.until(
        () -> texts(readLog()).equals(List.of("before", "beside")),
        () -> "G3: a dead writer's place delays readers, who see " + texts(readLog()));
    Await.until(
        () -> storage.globalLog().status().heldBackBy().isEmpty(),
        () -> "G3: a dead writer is said to hold readers back");
  }

  @Test
  void G4_an_open_append_hides_nothing_that_was_appended_before_it_began() {
    append(STREAM, event("before 1"));
    append(THIRD, event("before 2"));
    HeldAppend held = fixture.hold(any(OTHER, event("open")));
    assertEquals(
        List.of("before 1", "before 2"), texts(readLog()), "G4: what came before is readable");
    assertEquals(
        List.of("before 1", "before 2"),
        texts(readLog(open(), Position.START, EventFilter.ALL, 10)),
        "G4: also by a reader that starts now");
    held.rollBack();
  }

  @Test
  void G4_an_append_that_ends_delays_nobody_any_more() {
    append(STREAM, event("before"));
    HeldAppend held = fixture.hold(any(OTHER, event("open")));
    Task<AppendResult> beside = appendBeside(THIRD, event("beside"));
    held.commit();
    beside.result();
    assertEquals(
        Set.of("before", "open", "beside"),
        new HashSet<>(texts(readLog())),
        "G4: all is readable at once when the open append has ended");
    assertEquals(
        Optional.empty(), storage.globalLog().status().heldBackBy(), "G4: nobody is waited for");
  }

  @Test
  void G4_what_is_held_back_is_said() {
    append(STREAM, event("before"));
    assertEquals(
        Optional.empty(), storage.globalLog().status().heldBackBy(), "G6: nobody is waited for");
    HeldAppend held = fixture.hold(any(OTHER, event("open")));
    Task<AppendResult> beside = appendBeside(THIRD, event("beside"));
    if (beside.isStillRunningAfterMillis(0)) {
      assertFalse(can(Capability.PARALLEL_APPENDS), "an append beside an open one has returned");
    } else {
      boolean said = storage.globalLog().status().heldBackBy().isPresent();
      List<String> seen = texts(readLog());
      assertTrue(
          said || seen.contains("beside"),
          () -> "G4: a stored event can't be read, and nobody is said to hold it back: " + seen);
    }
    held.commit();
    beside.result();
    assertEquals(
        readLog().getLast().position(),
        storage.globalLog().status().head(),
        "G4: the head is the last event that can be read");
  }

  @Test
  void G4_heads_and_counts_end_where_reading_ends() {
    append(STREAM, sending("before"));
    HeldAppend held = fixture.hold(any(OTHER, sending("open")));
    Task<AppendResult> beside = appendBeside(THIRD, sending("beside"));
    // Asked before reading, because what can be read only grows.
    Position head = storage.globalLog().status().head();
    long count = storage.globalLog().count(Position.START, EventFilter.ALL);
    Position outboxHead = storage.outbox().head();
    long outboxCount = storage.outbox().count(Position.START);
    List<RecordedEvent> log = some(readLog());
    List<OutboxMessage> messages = some(readOutbox());
    assertFalse(
        head.isAfter(log.getLast().position()),
        () -> "G2: the head is " + head + ", beyond the last event that can be read");
    assertTrue(
        count <= log.size(), () -> "G7: counted " + count + " of " + log.size() + " readable ones");
    assertFalse(
        outboxHead.isAfter(messages.getLast().position()),
        () -> "O2: the outbox's head is " + outboxHead + ", beyond what can be read");
    assertTrue(
        outboxCount <= messages.size(),
        () -> "O2: counted " + outboxCount + " of " + messages.size() + " readable messages");
    held.rollBack();
    beside.result();
    assertEquals(2, storage.globalLog().count(Position.START, EventFilter.ALL), "G7: both");
    assertEquals(2, storage.outbox().count(Position.START), "O2: both");
  }

  @Test
  void G4_of_two_open_appends_the_one_that_ends_first_is_not_lost() {
    if (!can(Capability.PARALLEL_APPENDS)) {
      HeldAppend first = fixture.hold(any(STREAM, event("first")));
      Task<AppendResult> second = Task.start(() -> append(OTHER, event("second")));
      assertTrue(second.isStillRunningAfterMillis(100), "without PARALLEL_APPENDS it waits");
      first.commit();
      second.result();
      assertEquals(List.of("first", "second"), texts(readLog()), "G1: in order of their ends");
      return;
    }
    Cursor cursor = new Cursor();
    HeldAppend first = fixture.hold(any(STREAM, sending("first")));
    HeldAppend second = fixture.hold(any(OTHER, sending("second")));
    cursor.readOn();
    second.commit();
    cursor.readOn();
    append(THIRD, sending("third"));
    cursor.readOn();
    first.rollBack();
    cursor.readOn();
    cursor.assertSawTheLog(2);
  }

  @Test
  void G5_a_transaction_that_appends_nothing_delays_nobody() {
    if (!can(Capability.CALLER_TRANSACTIONS)) {
      assertNoTransactionBegins();
      return;
    }
    try (CallerTransaction unrelated = fixture.beginTransaction()) {
      unrelated.writeSomethingElse();
      for (int i = 0; i < 5; i++) {
        append(STREAM, event("beside " + i));
        assertEquals(i + 1, readLog().size(), "G5: readable at once beside a foreign transaction");
      }
      assertEquals(
          5, readLog(open(), Position.START, EventFilter.ALL, 10).size(), "G5: a new reader");
      assertEquals(
          Optional.empty(), storage.globalLog().status().heldBackBy(), "G5: nobody waited for");
    }
  }

  @Test
  void G6_with_no_append_in_flight_everything_is_readable_at_once() {
    Storage second = open();
    for (int i = 0; i < 50; i++) {
      append(stream(i % 7), events("e", 1 + i % 2));
      int stored = i + 1 + (i + 1) / 2;
      assertEquals(stored, readLog().size(), "G6: events that can be read after the append");
      assertEquals(
          stored,
          readLog(second, Position.START, EventFilter.ALL, 1_000).size(),
          "G6: and by another instance");
    }
  }

  // transactions of the caller's

  /**
   * Says little about the store: where an adapter has nothing by which a caller's transaction could
   * be joined, it is the fixture that answers. So the report doesn't call it refused.
   */
  private void assertNoTransactionBegins() {
    append(STREAM, event("before"));
    RuntimeException refused =
        assertThrows(
            RuntimeException.class,
            () -> fixture.beginTransaction().close(),
            "S1: CALLER_TRANSACTIONS is declared absent, and yet a transaction has begun");
    assertTrue(
        refused instanceof UnsupportedOperationException
            || refused instanceof StoreRefusedException,
        () ->
            "S1: a refusal is an UnsupportedOperationException or StoreRefusedException: "
                + refused);
    assertEquals(1, readLog().size(), "S1: nothing changed");
  }

  @Test
  void G2_a_transaction_that_wrote_something_else_first_keeps_the_order() {
    if (!can(Capability.CALLER_TRANSACTIONS)) {
      assertNoTransactionBegins();
      return;
    }
    Cursor cursor = new Cursor();
    try (CallerTransaction transaction = fixture.beginTransaction()) {
      transaction.writeSomethingElse();
      append(STREAM, sending("overtakes 1"));
      append(OTHER, sending("overtakes 2"));
      cursor.readOn();
      transaction.eventStore().append(any(STREAM, sending("in the transaction")));
      cursor.readOn();
      transaction.commit();
    }
    cursor.readOn();
    cursor.assertSawTheLog(3);
    assertEquals(
        List.of("overtakes 1", "overtakes 2", "in the transaction"),
        texts(readLog()),
        "G1: the order of the stream inside the order of all");
  }

  @Test
  void S1_what_a_transaction_appends_and_saves_is_stored_together() {
    if (!can(Capability.CALLER_TRANSACTIONS)) {
      assertNoTransactionBegins();
      return;
    }
    Checkpoint checkpoint = Checkpoint.first("view", Position.START, Payload.EMPTY, 0);
    for (boolean commits : List.of(false, true)) {
      try (CallerTransaction transaction = fixture.beginTransaction()) {
        transaction.writeSomethingElse();
        transaction.eventStore().append(any(STREAM, sending("one")));
        transaction.eventStore().append(any(OTHER, sending("two")));
        transaction.checkpoints().save(checkpoint);
        assertEquals(List.of(), readLog(), "S1: nothing is read before the commit");
        assertEquals(Optional.empty(), storage.checkpoints().load("view"), "S1: nor a checkpoint");
        if (commits) {
          transaction.commit();
        } else {
          transaction.rollBack();
        }
      }
      assertEquals(commits ? List.of("one", "two") : List.of(), texts(readLog()), "S1: events");
      assertEquals(commits ? 2 : 0, readOutbox().size(), "O1: messages");
      assertEquals(
          commits, storage.checkpoints().load("view").isPresent(), "U2: the checkpoint with them");
    }
  }

  // G7: filters

  @Test
  void G7_the_log_is_read_by_category() {
    appendVarious();
    assertEquals(
        List.of("1", "2", "4", "8", "9"),
        readWith(EventFilter.categories("account")),
        "G7: category");
    assertEquals(
        List.of("1", "2", "3", "4", "8", "9", "12", "13"),
        readWith(EventFilter.categories("account", "order")),
        "G7: two categories");
    assertEquals(
        List.of("5"), readWith(EventFilter.categories("accounts")), "G7: not those of 'account'");
    assertEquals(List.of("6"), readWith(EventFilter.categories("account.eu")), "G7: no prefix");
    assertEquals(List.of("7"), readWith(EventFilter.categories("Account")), "G7: case matters");
    assertEquals(
        List.of("10"), readWith(EventFilter.categories("account_eu")), "G7: '_' stands for itself");
  }

  @Test
  void G7_the_log_is_read_by_event_type() {
    appendVarious();
    assertEquals(List.of("2", "3"), readWith(EventFilter.types("closed")), "G7: one type");
    assertEquals(
        List.of("2", "3", "8"), readWith(EventFilter.types("closed", "opened.v2")), "G7: two");
    assertEquals(
        List.of("10"), readWith(EventFilter.types("opened_v2")), "G7: '_' stands for itself");
    assertEquals(List.of("12"), readWith(EventFilter.types("it's \"ä\"")), "G7: any text");
    assertEquals(
        List.of("13"),
        readWith(EventFilter.types("it's \"a\u0308\"")),
        "G7: another text that looks the same");
  }

  @Test
  void G7_the_log_is_read_by_category_and_event_type() {
    appendVarious();
    assertEquals(
        List.of("2"),
        readWith(EventFilter.categories("account").withTypes(Set.of("closed"))),
        "G7: both must match");
    assertEquals(
        List.of("1", "4", "8", "9"),
        readWith(EventFilter.categories("account").withTypes(Set.of("opened", "opened.v2"))),
        "G7: both must match");
  }

  @Test
  void G7_a_filter_that_nothing_matches_moves_the_cursor_over_everything() {
    appendVarious();
    Position cursor = Position.START;
    Position head = storage.globalLog().status().head();
    for (int pages = 0; !cursor.equals(head); pages++) {
      assertTrue(pages < 20, "G7: the cursor does not arrive at the head");
      LogPage page = storage.globalLog().read(cursor, EventFilter.types("unknown"), 2);
      assertEquals(List.of(), page.events(), "G7: nothing matches");
      assertTrue(page.next().isAfter(cursor), "G7: the cursor moves past what does not match");
      cursor = page.next();
    }
    append(STREAM, event("unknown", "now it matches"));
    assertEquals(
        List.of("now it matches"),
        texts(readLog(storage, cursor, EventFilter.types("unknown"), 2)),
        "G7: reading on finds what comes later");
  }

  @Test
  void G7_a_cursor_never_moves_past_an_open_append() {
    EventFilter type = EventFilter.types("wanted");
    EventFilter category = EventFilter.categories("held", "beside");
    int round = 0;
    for (EventFilter filter : List.of(type, category, category.withTypes(type.types()))) {
      for (String typeBeside : List.of("wanted", "other")) {
        String id = "" + round++;
        append(StreamId.of("before", id), event("other", "before"));
        Position before = readLog().getLast().position();
        HeldAppend held = fixture.hold(any(StreamId.of("held", id), event("wanted", "late")));
        Task<AppendResult> beside =
            appendBeside(StreamId.of("beside", id), event(typeBeside, "beside"));
        LogPage page = storage.globalLog().read(before, filter, 10);
        List<RecordedEvent> seen = new ArrayList<>(page.events());
        assertFalse(texts(seen).contains("late"), "S1: the open append can't be read");
        held.commit();
        beside.result();
        seen.addAll(readLog(storage, page.next(), filter, 10));
        assertEquals(
            filter.matches("beside", typeBeside) ? Set.of("late", "beside") : Set.of("late"),
            new HashSet<>(texts(seen)),
            () -> "G2: a cursor that was moved misses nothing of " + filter);
        assertEquals(
            ids(readLog(storage, before, filter, 10)),
            ids(seen),
            () -> "G2: what was read step by step is all of " + filter + ", in its order");
      }
    }
  }

  @Test
  void G7_events_are_counted_by_filter() {
    appendVarious();
    GlobalLog log = storage.globalLog();
    EventFilter account = EventFilter.categories("account");
    EventFilter closed = EventFilter.types("closed");
    assertEquals(13, log.count(Position.START, EventFilter.ALL), "G7: all");
    assertEquals(5, log.count(Position.START, account), "G7: category");
    assertEquals(2, log.count(Position.START, closed), "G7: type");
    assertEquals(
        1, log.count(Position.START, account.withTypes(closed.types())), "G7: both must match");
    Position third = readLog().get(2).position();
    assertEquals(10, log.count(third, EventFilter.ALL), "G7: behind a position");
    assertEquals(3, log.count(third, account), "G7: a category behind a position");
    assertEquals(0, log.count(third, closed), "G7: a type behind a position");
    assertEquals(
        3,
        log.count(third, account.withTypes(Set.of("opened", "opened.v2"))),
        "G7: both behind a position");
    assertEquals(0, log.count(log.status().head(), EventFilter.ALL), "G7: behind the head");
  }

  private void appendVarious() {
    append(StreamId.of("account", "1"), event("opened", "1"), event("closed", "2"));
    append(StreamId.of("order", "1"), event("closed", "3"));
    append(StreamId.of("account", "2"), event("opened", "4"));
    append(StreamId.of("accounts", "1"), event("opened", "5"));
    append(StreamId.of("account.eu", "1"), event("opened", "6"));
    append(StreamId.of("Account", "1"), event("Closed", "7"));
    append(StreamId.of("account", "1"), event("opened.v2", "8"));
    append(StreamId.of("account", "a-1"), event("opened", "9"));
    append(StreamId.of("account_eu", "1"), event("opened_v2", "10"));
    append(StreamId.of("accountXeu", "1"), event("openedXv2", "11"));
    append(StreamId.of("order", "2"), event("it's \"ä\"", "12"), event("it's \"a\u0308\"", "13"));
  }

  private List<String> readWith(EventFilter filter) {
    for (int pageSize : List.of(1, 2)) {
      assertEquals(
          texts(readLog(storage, Position.START, filter, 100)),
          texts(readLog(storage, Position.START, filter, pageSize)),
          () -> "G7: the same in pages of " + pageSize);
      assertEquals(
          texts(readLog(storage, Position.START, filter, 100)),
          texts(logTail(storage, filter, pageSize).next()),
          () -> "G7: the same as long as pages of " + pageSize + " say that there is more");
    }
    return texts(readLog(storage, Position.START, filter, 100));
  }

  // pages, status and hints

  @Test
  void G1_pages_of_any_size_neither_skip_nor_repeat() {
    for (int i = 0; i < 6; i++) {
      append(stream(i % 2), events("commit " + i, 1 + i % 3));
    }
    List<RecordedEvent> all = readLog();
    assertEquals(12, all.size(), "G1: all events");
    for (int pageSize : List.of(1, 2, 3, 5, 12, 13, GlobalLog.MAX_LIMIT)) {
      assertEquals(
          all,
          readLog(storage, Position.START, EventFilter.ALL, pageSize),
          () -> "G1: read in pages of " + pageSize);
    }
  }

  @Test
  void G1_a_page_says_whether_there_is_more_and_where_to_read_on() {
    assertEquals(
        new LogPage(List.of(), Position.START, false),
        storage.globalLog().read(Position.START, EventFilter.ALL, 10),
        "G1: a page of an empty log");
    append(STREAM, events("e", 3));
    LogPage first = storage.globalLog().read(Position.START, EventFilter.ALL, 2);
    assertEquals(2, first.events().size(), "G1: as many as asked for");
    assertTrue(first.more(), "G1: one more could be read at once");
    assertEquals(
        first.events().getLast().position(), first.next(), "G2: read on after the last event");
    LogPage last = storage.globalLog().read(first.next(), EventFilter.ALL, 2);
    assertEquals(1, last.events().size(), "G1: the rest");
    assertFalse(last.more(), "G1: nothing more");
    assertEquals(
        last.events().getLast().position(), last.next(), "G2: a place that is an event's, no more");
    assertEquals(
        new LogPage(List.of(), last.next(), false),
        storage.globalLog().read(last.next(), EventFilter.ALL, 2),
        "G2: at the end the cursor stays where it is");
  }

  @Test
  void G1_a_limit_out_of_bounds_is_refused() {
    append(STREAM, event("there"));
    for (int limit : List.of(0, -1, GlobalLog.MAX_LIMIT + 1)) {
      assertThrows(
          IllegalArgumentException.class,
          () -> storage.globalLog().read(Position.START, EventFilter.ALL, limit),
          () -> "a limit of " + limit);
    }
  }

  @Test
  void G2_the_head_is_the_last_event_that_can_be_read() {
    Storage other = open();
    for (Storage asked : List.of(storage, other)) {
      assertEquals(Position.START, asked.globalLog().status().head(), "G2: the head of nothing");
    }
    AppendResult result = append(STREAM, events("e", 3));
    assertEquals(result.position(), storage.globalLog().status().head(), "G2: the last event");
    assertEquals(
        result.position(),
        other.globalLog().status().head(),
        "G2: also asked through an instance that was open before");
    fixture.hold(any(OTHER, event("never"))).rollBack();
    assertEquals(
        result.position(), storage.globalLog().status().head(), "G3: not what was rolled back");
  }

  @Test
  void G6_a_hint_that_fails_does_not_fail_an_append() {
    Runnable fails =
        () -> {
          throw new IllegalStateException("a hint that fails on purpose");
        };
    try (Registration failing = storage.globalLog().onAppend(fails);
        Registration fine = storage.globalLog().onAppend(() -> {})) {
      assertFalse(failing.equals(fine), "G6: each hint has a registration of its own");
      assertEquals(1, append(STREAM, sending("one")).version(), "S1: the append is stored");
    }
    try (Registration failing = storage.outbox().onAppend(fails);
        Registration fine = storage.outbox().onAppend(() -> {})) {
      assertFalse(failing.equals(fine), "G6: each hint has a registration of its own");
      assertEquals(2, append(STREAM, sending("two")).version(), "S1: the append is stored");
    }
    assertEquals(3, append(STREAM, sending("three")).version(), "S1: and so is the next");
    assertEquals(3, readLog().size(), "G6: all can be read");
    assertEquals(3, readOutbox().size(), "O2: all can be read");
  }

  @Test
  void G6_a_hint_is_not_called_once_its_registration_is_closed() {
    AtomicInteger calls = new AtomicInteger();
    Registration ofLog = storage.globalLog().onAppend(calls::incrementAndGet);
    Registration ofOutbox = storage.outbox().onAppend(calls::incrementAndGet);
    ofLog.close();
    ofLog.close();
    ofOutbox.close();
    // A store may give hints at any time, until then.
    int before = calls.get();
    append(STREAM, sending("one"));
    assertEquals(1, readLog().size(), "G6: the append is stored");
    assertEquals(
        before,
        calls.get(),
        "G6: the hints that were called, when their registrations were closed");
  }

  // helpers

  private static StreamId stream(int number) {
    return StreamId.of("account", "stream-" + number);
  }

  private static void assertOneOrder(List<RecordedEvent> log) {
    Map<StreamId, Long> versions = new HashMap<>();
    Position last = Position.START;
    for (RecordedEvent event : some(log)) {
      Position before = last;
      assertTrue(
          event.position().isAfter(before),
          () -> "G1: positions strictly increase, but " + event + " comes after " + before);
      last = event.position();
      assertEquals(
          versions.merge(event.stream(), 1L, Long::sum),
          event.version(),
          () -> "G1: the order of all contains the order of " + event.stream());
    }
  }

  private void assertReadersSawTheLog(List<List<RecordedEvent>> readers, int count) {
    List<RecordedEvent> log = readLog();
    assertEquals(count, log.size(), "G6: events in the log");
    assertOneOrder(log);
    for (List<RecordedEvent> seen : readers) {
      List<UUID> missed = new ArrayList<>(ids(log));
      missed.removeAll(new HashSet<>(ids(seen)));
      assertEquals(List.of(), missed, "G2: events that a live reader never saw");
      assertEquals(
          ids(log), ids(seen), "G2: a live reader saw every event once, in the order of the log");
    }
  }

  /**
   * A reader that goes on step by step, and keeps what it saw; messages of the outbox as well, of
   * which each event must have one.
   */
  private final class Cursor {

    private final Storage reader;
    private final int before;
    private final List<UUID> seen = new ArrayList<>();
    private final List<UUID> seenMessages = new ArrayList<>();
    private Position position = Position.START;
    private Position messagePosition = Position.START;

    Cursor() {
      this(storage);
    }

    Cursor(Storage reader) {
      this(reader, Collections.emptyList());
    }

    Cursor(Storage reader, List<RecordedEvent> alreadyThere) {
      this.reader = reader;
      this.before = alreadyThere.size();
    }

    void readOn() {
      LogPage page = reader.globalLog().read(position, EventFilter.ALL, 1_000);
      seen.addAll(ids(page.events()));
      position = page.next();
      for (OutboxMessage message : reader.outbox().read(messagePosition, 1_000)) {
        seenMessages.add(message.message().id());
        messagePosition = message.position();
      }
    }

    void assertSawTheLog(int count) {
      List<RecordedEvent> log = readLog();
      assertEquals(count, log.size(), () -> "G6: events in the log, " + texts(log));
      assertOneOrder(log);
      assertEquals(ids(log), seen, "G2: what was read step by step is the whole log, in its order");
      List<OutboxMessage> outbox = readOutbox();
      assertEquals(count, outbox.size(), "O1: each of these events has a message");
      assertEquals(
          outbox.stream().map(m -> m.message().id()).toList(),
          seenMessages,
          "O2: what was read step by step is the whole outbox, in its order");
    }
  }
}
