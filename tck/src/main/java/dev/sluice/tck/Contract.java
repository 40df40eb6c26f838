package dev.sluice.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.sluice.core.Position;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** What all suites for storages share: a fixture for each test, and short words for long calls. */
@Timeout(value = 10, unit = TimeUnit.MINUTES)
@ExtendWith({PromiseBroken.class, ConformanceReport.class})
abstract class Contract {

  StorageFixture fixture;
  Storage storage;
  String adapter = "unknown";
  String store = "";
  Set<Capability> capabilities = Set.of();
  private final List<Storage> opened = new ArrayList<>();

  /** A new fixture with empty data. Called once for each test, which closes it. */
  protected abstract StorageFixture createFixture();

  @BeforeEach
  void openFixture() {
    fixture = createFixture();
    adapter = fixture.adapter();
    capabilities = Set.copyOf(fixture.capabilities());
    storage = open();
    store = storage.describe();
  }

  @AfterEach
  void closeFixture() {
    opened.forEach(Storage::close);
    fixture.close();
  }

  final Storage open() {
    Storage next = fixture.open();
    opened.add(next);
    return next;
  }

  /** Closes every storage and opens a new one, as a process does that is started again. */
  final void restart() {
    opened.forEach(Storage::close);
    opened.clear();
    storage = open();
  }

  final boolean can(Capability capability) {
    return capabilities.contains(capability);
  }

  final AppendResult append(StreamId stream, NewEvent... events) {
    return append(stream, ExpectedVersion.any(), events);
  }

  final AppendResult append(StreamId stream, ExpectedVersion expected, NewEvent... events) {
    return storage.eventStore().append(new Append(stream, expected, List.of(events)));
  }

  /** Appends where a writer that died may still be in the way, and so waits with a bound. */
  final AppendResult appendInTime(Append append) {
    return Task.start(() -> storage.eventStore().append(append)).result();
  }

  /**
   * Appends while another append, to another stream, is held open. It is stored at once where
   * appends run in parallel, and waits for the held one otherwise.
   */
  final Task<AppendResult> appendBeside(StreamId stream, NewEvent... events) {
    Task<AppendResult> task = Task.start(() -> append(stream, events));
    if (can(Capability.PARALLEL_APPENDS)) {
      task.result();
    }
    return task;
  }

  final List<RecordedEvent> readStream(StreamId stream) {
    return readStream(storage, stream);
  }

  static List<RecordedEvent> readStream(Storage storage, StreamId stream) {
    return storage.eventStore().readFrom(stream, 1).toList();
  }

  final List<RecordedEvent> readLog() {
    return readLog(storage, Position.START, EventFilter.ALL, 1_000);
  }

  /** Reads on until nothing more can be read now. */
  static List<RecordedEvent> readLog(
      Storage storage, Position after, EventFilter filter, int pageSize) {
    List<RecordedEvent> all = new ArrayList<>();
    Position cursor = after;
    while (true) {
      LogPage page = storage.globalLog().read(cursor, filter, pageSize);
      assertTrue(
          page.events().size() <= pageSize,
          () -> "G1: a page of at most " + pageSize + " events has " + page.events().size());
      all.addAll(page.events());
      if (page.next().equals(cursor)) {
        return all;
      }
      assertTrue(
          page.next().isAfter(cursor),
          () -> "G2: a page was read after a position and is to be read on before it: " + page);
      cursor = page.next();
    }
  }

  final List<OutboxMessage> readOutbox() {
    return readOutbox(storage, Position.START, 1_000);
  }

  static List<OutboxMessage> readOutbox(Storage storage, Position after, int pageSize) {
    List<OutboxMessage> all = new ArrayList<>();
    Position cursor = after;
    while (true) {
      List<OutboxMessage> page = storage.outbox().read(cursor, pageSize);
      if (page.isEmpty()) {
        return all;
      }
      assertTrue(
          page.size() <= pageSize,
          "O2: a page of at most " + pageSize + " messages has " + page.size());
      all.addAll(page);
      Position next = page.getLast().position();
      assertTrue(next.isAfter(cursor), "O2: a page of the outbox ends before where it began");
      cursor = next;
    }
  }

  /** A reader that goes on from where it was each time. */
  interface Tail<T> {

    /** What has come since the last call. */
    List<T> next();
  }

  /**
   * Follows the log by the positions that its pages name, as long as they say that there is more.
   */
  static Tail<RecordedEvent> logTail(Storage storage, int pageSize) {
    return logTail(storage, EventFilter.ALL, pageSize);
  }

  static Tail<RecordedEvent> logTail(Storage storage, EventFilter filter, int pageSize) {
    Position[] cursor = {Position.START};
    return () -> {
      List<RecordedEvent> seen = new ArrayList<>();
      LogPage page;
      do {
        page = storage.globalLog().read(cursor[0], filter, pageSize);
        seen.addAll(page.events());
        cursor[0] = page.next();
      } while (page.more());
      return seen;
    };
  }

  /** Follows the outbox. */
  static Tail<OutboxMessage> outboxTail(Storage storage, int pageSize) {
    Position[] cursor = {Position.START};
    return () -> {
      List<OutboxMessage> seen = readOutbox(storage, cursor[0], pageSize);
      cursor[0] = seen.isEmpty() ? cursor[0] : seen.getLast().position();
      return seen;
    };
  }

  /**
   * Lets writers race while readers read on and on, and once more when the writers are done.
   *
   * @return what each reader saw
   */
  static <T> List<List<T>> seenWhile(
      List<Tail<T>> readers, int writers, IntFunction<Callable<Integer>> writer) {
    AtomicBoolean done = new AtomicBoolean();
    List<Task<List<T>>> reading = new ArrayList<>();
    for (Tail<T> reader : readers) {
      reading.add(
          Task.start(
              () -> {
                List<T> seen = new ArrayList<>();
                boolean last = false;
                while (!last) {
                  last = done.get();
                  seen.addAll(reader.next());
                }
                return seen;
              }));
    }
    List<Outcome<Integer>> outcomes;
    try {
      outcomes = Race.of(writers, writer);
    } finally {
      done.set(true);
    }
    assertEquals(List.of(), Race.failures(outcomes), "S5: no append fails");
    return reading.stream().map(Task::result).toList();
  }

  /** Fails a test that would compare nothing with nothing. */
  static <T> List<T> some(List<T> list) {
    if (list.isEmpty()) {
      fail("this test saw nothing at all, so it would prove nothing");
    }
    return list;
  }
}
