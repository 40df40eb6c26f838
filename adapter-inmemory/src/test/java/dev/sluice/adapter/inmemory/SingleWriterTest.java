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
import dev.sluice.core.store.VersionConflictException;
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
  static class Sum implements Decider<Long, Long, Changed> {

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
    for (Future<CommandResult<Long, Changed>> each :
        behindASlowOne(new Sum(), Collections.nCopies(10, ONE))) {
      assertThat(each.get().events()).hasSize(1);
    }
    assertThat(storage.eventStore().readFrom(STREAM, 1)).hasSize(12);
    assertThat(commits()).as("one, the slow one, and one for all that waited").isEqualTo(3);
  }

  @Test
  void aCommandThatWaitsTwiceForTheSameAggregateIsCarriedOutOnceInTheSharedAppend()
      throws Exception {
    CommandOptions once = CommandOptions.DEFAULT.withCommandId(EventIds.next());
    List<Future<CommandResult<Long, Changed>>> results =
        behindASlowOne(new Sum(), List.of(new Queued(1, once), ONE, new Queued(1, once)));
    assertThat(results.get(0).get().events()).hasSize(1);
    assertThat(results.get(2).get().events()).isEmpty();
    assertThat(storage.eventStore().readFrom(STREAM, 1)).hasSize(4);
    assertThat(commits()).as("the repetition does not break up what is shared").isEqualTo(3);
  }

  @Test
  void anErrorOfOneDecisionIsThatOfItsCommandAlone() throws Exception {
    Sum buggy =
        new Sum() {
          @Override
          public List<Changed> decide(Long command, Long state) {
            if (command == 13) {
              throw new StackOverflowError();
            }
            return super.decide(command, state);
          }
        };
    List<Future<CommandResult<Long, Changed>>> results =
        behindASlowOne(buggy, List.of(ONE, new Queued(13, CommandOptions.DEFAULT), ONE));
    assertThatThrownBy(() -> results.get(1).get()).hasCauseInstanceOf(StackOverflowError.class);
    assertThat(results.get(0).get().events()).hasSize(1);
    assertThat(results.get(2).get().state()).isEqualTo(10);
  }

  @Test
  void anInterruptOfTheOneThatLeadsIsNotThatOfTheOthers() throws Exception {
    var elsewhere = handler(storage.another());
    Sum interrupted =
        new Sum() {
          @Override
          public List<Changed> decide(Long command, Long state) {
            if (command == 8) {
              elsewhere.handle("1", 5L);
              Thread.currentThread().interrupt();
            }
            return super.decide(command, state);
          }
        };
    List<Future<CommandResult<Long, Changed>>> results =
        behindASlowOne(interrupted, List.of(new Queued(8, CommandOptions.DEFAULT), ONE, ONE));
    assertThatThrownBy(() -> results.get(0).get())
        .hasCauseInstanceOf(VersionConflictException.class);
    assertThat(results.get(1).get().events()).hasSize(1);
    assertThat(results.get(2).get().state()).isEqualTo(15);
  }

  private record Queued(long by, CommandOptions options) {}

  private static final Queued ONE = new Queued(1, CommandOptions.DEFAULT);

  /** What becomes of commands that queue up, in this order, behind one that is decided slowly. */
  private List<Future<CommandResult<Long, Changed>>> behindASlowOne(
      Sum decider, List<Queued> commands) throws Exception {
    handler(storage).handle("1", 1L);
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    var blocking = handler(storage, new Slow(decider, inside, goOn));
    List<Future<CommandResult<Long, Changed>>> results = new ArrayList<>();
    try (ExecutorService executor = Executors.newCachedThreadPool()) {
      Future<?> first = executor.submit(() -> blocking.handle("1", 7L));
      assertThat(inside.await(30, TimeUnit.SECONDS)).isTrue();
      List<Thread> threads = new ArrayList<>();
      for (Queued command : commands) {
        results.add(
            executor.submit(
                () -> {
                  synchronized (threads) {
                    threads.add(Thread.currentThread());
                  }
                  return blocking.handle("1", command.by(), command.options());
                }));
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!allWait(threads, results.size()) && System.nanoTime() < until) {
          Thread.onSpinWait();
        }
      }
      goOn.countDown();
      first.get(30, TimeUnit.SECONDS);
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
  private record Slow(Sum sum, CountDownLatch inside, CountDownLatch goOn)
      implements Decider<Long, Long, Changed> {

    @Override
    public Long initial() {
      return sum.initial();
    }

    @Override
    public Long evolve(Long state, Changed event) {
      return sum.evolve(state, event);
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
      return sum.decide(command, state);
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
  void whenAnotherProcessWinsWithTheSameCommandBehindOthersTheirEventsAreRead() {
    CommandOptions once = CommandOptions.DEFAULT.withCommandId(EventIds.next());
    var elsewhere = handler(storage.another());
    var here =
        handler(
            storage,
            new Sum() {
              @Override
              public List<Changed> decide(Long command, Long state) {
                if (command == 10) {
                  elsewhere.handle("1", 5L);
                  elsewhere.handle("1", 10L, once);
                }
                return super.decide(command, state);
              }
            });
    here.handle("1", 1L);
    assertThat(here.handle("1", 10L, once).state()).isEqualTo(16);
    assertThat(here.handle("1", 1L).state()).isEqualTo(17);
    assertThat(here.load("1").state()).isEqualTo(17);
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
