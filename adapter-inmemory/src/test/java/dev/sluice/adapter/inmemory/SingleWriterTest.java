package dev.sluice.adapter.inmemory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandOptions;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Storage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SingleWriterTest {

  record Changed(long by) implements DomainEvent {}

  /** A sum that never gets below zero; 0 changes nothing. */
  static final class Sum implements Decider<Long, Long, Changed> {

    @Override
    public Long initial() {
      return 0L;
    }

    @Override
    public Long evolve(Long state, Changed event) {
      return state + event.by();
    }

    @Override
    public List<Changed> decide(Long command, Long state) {
      if (state + command < 0) {
        throw new IllegalArgumentException("too little");
      }
      return command == 0 ? List.of() : List.of(new Changed(command));
    }
  }

  private static final StreamId STREAM = StreamId.of("sum", "1");

  private final InMemoryStorage storage = InMemoryStorage.create();

  @Test
  void commandsOfOneProcessMeetNoConflictAndEachHasItsOwnOutcome() throws Exception {
    var sums = handler(storage);
    List<Callable<Boolean>> commands = new ArrayList<>();
    for (int i = 0; i < 800; i++) {
      long by = i % 4 == 3 ? -1_000_000 : 1;
      commands.add(
          () -> {
            try {
              CommandResult<Long, Changed> result = sums.handle("1", by);
              assertThat(result.conflicts()).isZero();
              assertThat(result.state()).isEqualTo(result.version());
              return true;
            } catch (IllegalArgumentException e) {
              return false;
            }
          });
    }
    assertThat(runAll(commands)).filteredOn(done -> done).hasSize(600);
    assertThat(sums.load("1").state()).isEqualTo(600);
    assertThat(storage.eventStore().readFrom(STREAM, 1)).hasSize(600);
  }

  @Test
  void commandsThatWaitForTheSameAggregateShareAnAppend() throws Exception {
    List<CommandResult<Long, Changed>> results =
        whileOneIsDecidedSlowly(Collections.nCopies(10, CommandOptions.DEFAULT));
    assertThat(results).allMatch(result -> result.events().size() == 1);
    assertThat(storage.eventStore().readFrom(STREAM, 1)).hasSize(12);
    assertThat(commits()).as("one, the slow one, and one for all that waited").isEqualTo(3);
  }

  @Test
  void aCommandThatWaitsTwiceForTheSameAggregateIsCarriedOutOnceInTheSharedAppend()
      throws Exception {
    CommandOptions once = CommandOptions.DEFAULT.withCommandId(EventIds.next());
    List<CommandResult<Long, Changed>> results =
        whileOneIsDecidedSlowly(List.of(once, CommandOptions.DEFAULT, once));
    assertThat(results).filteredOn(result -> result.events().isEmpty()).hasSize(1);
    assertThat(storage.eventStore().readFrom(STREAM, 1)).hasSize(4);
    assertThat(commits()).as("the repetition does not break up what is shared").isEqualTo(3);
  }

  /** What becomes of commands that queue up behind one that is decided slowly. */
  private List<CommandResult<Long, Changed>> whileOneIsDecidedSlowly(List<CommandOptions> commands)
      throws Exception {
    handler(storage).handle("1", 1L);
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    var blocking = handler(storage, new Slow(inside, goOn));
    List<CommandResult<Long, Changed>> results = new ArrayList<>();
    try (ExecutorService executor = Executors.newCachedThreadPool()) {
      Future<?> first = executor.submit(() -> blocking.handle("1", 7L));
      assertThat(inside.await(30, TimeUnit.SECONDS)).isTrue();
      List<Future<CommandResult<Long, Changed>>> others = new ArrayList<>();
      List<Thread> threads = new ArrayList<>();
      for (CommandOptions options : commands) {
        others.add(
            executor.submit(
                () -> {
                  synchronized (threads) {
                    threads.add(Thread.currentThread());
                  }
                  return blocking.handle("1", 1L, options);
                }));
      }
      long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (!allWait(threads, commands.size()) && System.nanoTime() < until) {
        Thread.onSpinWait();
      }
      goOn.countDown();
      first.get(30, TimeUnit.SECONDS);
      for (Future<CommandResult<Long, Changed>> other : others) {
        results.add(other.get(30, TimeUnit.SECONDS));
      }
    }
    return results;
  }

  private long commits() {
    return storage
        .eventStore()
        .readFrom(STREAM, 1)
        .map(event -> event.position().value() >> 16)
        .distinct()
        .count();
  }

  /** Waits before it decides on 7. */
  private record Slow(CountDownLatch inside, CountDownLatch goOn)
      implements Decider<Long, Long, Changed> {

    @Override
    public Long initial() {
      return 0L;
    }

    @Override
    public Long evolve(Long state, Changed event) {
      return state + event.by();
    }

    @Override
    public List<Changed> decide(Long command, Long state) {
      if (command == 7) {
        inside.countDown();
        try {
          assertThat(goOn.await(30, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
      }
      return List.of(new Changed(command));
    }
  }

  @Test
  void anotherProcessCausesConflictsWhichAreRetriedAndItsChangesAreSeenAlsoByARefusal()
      throws Exception {
    var here = handler(storage);
    var elsewhere = handler(storage.another());
    List<Callable<Boolean>> commands = new ArrayList<>();
    for (int i = 0; i < 400; i++) {
      var sums = i % 2 == 0 ? here : elsewhere;
      commands.add(
          () -> {
            sums.handle("1", 1L);
            return true;
          });
    }
    assertThat(runAll(commands)).hasSize(400);
    assertThat(here.load("1").state()).isEqualTo(400);
    here.handle("1", -400L);
    elsewhere.handle("1", 5L);
    // In memory here the sum is 0, but a refusal must not go by what is in memory alone.
    assertThat(here.handle("1", -5L).state()).isZero();
    assertThatThrownBy(() -> here.handle("1", -1L)).hasMessage("too little");
  }

  @Test
  void aRepeatedCommandIsNotDecidedAgainAndADuplicateFailsAlone() throws Exception {
    var sums = handler(storage);
    CommandOptions once = CommandOptions.DEFAULT.withCommandId(EventIds.next());
    List<Callable<Boolean>> commands = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      boolean same = i % 2 == 0;
      commands.add(
          () -> !(same ? sums.handle("1", 100L, once) : sums.handle("1", 1L)).events().isEmpty());
    }
    assertThat(runAll(commands)).filteredOn(stored -> stored).hasSize(21);
    assertThat(sums.load("1").state()).isEqualTo(120);
  }

  @Test
  void aLostReplyIsRepeatedWithoutStoringTwice() {
    var sums = handler(storage);
    storage.schedule().loseReplies(1);
    assertThat(sums.handle("1", 3L).state()).isEqualTo(3);
    assertThat(sums.handle("1", 4L).state()).isEqualTo(7);
    storage
        .eventStore()
        .append(
            new Append(
                STREAM,
                ExpectedVersion.exactly(2),
                List.of(
                    new NewEvent(
                        EventIds.next(),
                        "changed",
                        Instant.now(),
                        codec().encode(new Changed(1)),
                        Payload.EMPTY,
                        List.of()))));
    CommandResult<Long, Changed> result = sums.handle("1", 1L);
    assertThat(result.state()).isEqualTo(9);
    assertThat(result.conflicts()).as("the version check is the safety net").isEqualTo(1);
  }

  private static boolean allWait(List<Thread> threads, int count) {
    synchronized (threads) {
      return threads.size() == count
          && threads.stream().allMatch(thread -> thread.getState() == Thread.State.WAITING);
    }
  }

  private static List<Boolean> runAll(List<Callable<Boolean>> commands) throws Exception {
    List<Boolean> results = new ArrayList<>();
    try (ExecutorService executor = Executors.newFixedThreadPool(8)) {
      for (Future<Boolean> each : executor.invokeAll(commands, 60, TimeUnit.SECONDS)) {
        results.add(each.get());
      }
    }
    return results;
  }

  private static EventCodec codec() {
    return EventCodec.of(
        EventTypes.<DomainEvent>builder().add("changed", Changed.class).build(),
        JacksonSerializer.create());
  }

  private static CommandHandler<Long, Long, Changed> handler(Storage storage) {
    return handler(storage, new Sum());
  }

  private static CommandHandler<Long, Long, Changed> handler(
      Storage storage, Decider<Long, Long, Changed> decider) {
    return CommandHandler.builder(storage, codec(), "sum", Changed.class, decider)
        .singleWriter(10)
        .build();
  }
}
