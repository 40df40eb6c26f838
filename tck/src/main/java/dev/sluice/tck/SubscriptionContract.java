package dev.sluice.tck;

import static dev.sluice.tck.Given.OTHER;
import static dev.sluice.tck.Given.STREAM;
import static dev.sluice.tck.Given.THIRD;
import static dev.sluice.tck.Given.any;
import static dev.sluice.tck.Given.event;
import static dev.sluice.tck.Given.events;
import static dev.sluice.tck.Given.texts;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.EventHandler;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.core.subscription.SubscriptionStatus.State;
import dev.sluice.core.subscription.Subscriptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Subscriptions on the ports of a storage: U1 to U4. They are code of the core, but lean on what
 * only the store can promise: its order, its checkpoints, its leases.
 */
public abstract class SubscriptionContract extends Contract {

  private static final Duration BOUND = Duration.ofSeconds(90);

  /** Longer than any pause of this process, after which an event would rightly come once more. */
  private static final Duration LEASE = Duration.ofSeconds(10);

  /** For who takes over or shares: it looks for leases in each fifth of this time. */
  private static final Duration LOOKING = Duration.ofSeconds(5);

  private static final FailurePolicy QUICK =
      FailurePolicy.STOP.withAttempts(3, Duration.ofMillis(1), Duration.ofMillis(5));
  private static final FailurePolicy QUICK_PARK =
      FailurePolicy.PARK.withAttempts(2, Duration.ofMillis(1), Duration.ofMillis(5));

  private final List<Subscriptions> runners = new ArrayList<>();

  /** A subscription tries again when a port fails: one that is missing would cost minutes here. */
  @BeforeEach
  void allPortsAnswer() {
    assertEquals(Position.START, storage.globalLog().status().head(), "U1: the head of nothing");
    assertEquals(List.of(), storage.checkpoints().list(""), "U1: no checkpoint yet");
    assertEquals(List.of(), storage.leases().list(""), "U3: no lease yet");
  }

  @AfterEach
  void stopRunners() {
    runners.forEach(Subscriptions::close);
  }

  // U1: in order, at least once, resumed from the checkpoint

  @Test
  void U1_what_was_and_what_is_appended_arrives_once_and_in_order() {
    append(STREAM, events("old", 700));
    Seen seen = new Seen();
    Subscriptions here = runner(storage);
    here.start(Subscription.named("all").batchSize(64).handler(seen));
    seen.awaitAtLeast(1);
    for (int i = 0; i < 299; i++) {
      append(i % 2 == 0 ? STREAM : OTHER, event("new/" + i));
    }
    awaitPosition(here, "all", append(OTHER, event("last")));
    assertEquals(readLog(), seen.all(), "U1: each event once, in the order of the log");
    assertEquals(1_000, seen.all().size(), "U1: and none is missing");
  }

  @Test
  void U1_appends_that_run_while_a_subscription_goes_live_are_neither_lost_nor_repeated() {
    append(STREAM, events("old", 200));
    AtomicBoolean done = new AtomicBoolean();
    Storage writer = open();
    Task<Integer> writing =
        Task.start(
            () -> {
              int count = 0;
              while (!done.get()) {
                writer.eventStore().append(any(OTHER, event("while/" + count++)));
              }
              return count;
            });
    Subscriptions here = runner(storage);
    List<Seen> all = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      Seen seen = new Seen();
      all.add(seen);
      here.start(Subscription.named("live-" + i).handler(seen));
      seen.awaitAtLeast(210);
    }
    done.set(true);
    int written = writing.result();
    AppendResult last = append(STREAM, event("end"));
    for (int i = 0; i < 5; i++) {
      awaitPosition(here, "live-" + i, last);
      assertEquals(readLog(), all.get(i).all(), "U1: subscription " + i + " of 5");
    }
    assertEquals(201 + written, readLog().size(), "U1: all were stored");
  }

  @Test
  void U1_a_restart_goes_on_at_the_checkpoint() {
    Seen seen = new Seen();
    append(STREAM, events("a", 10));
    Subscriptions first = runner(storage);
    first.start(Subscription.named("all").handler(seen));
    seen.awaitAtLeast(10);
    first.close();
    AppendResult last = append(STREAM, events("b", 10));
    restart();
    Subscriptions second = runner(storage);
    second.start(Subscription.named("all").handler(seen));
    awaitPosition(second, "all", last);
    assertEquals(readLog(), seen.all(), "U1: each event once, over an orderly restart");
  }

  @Test
  void U1_a_stop_in_the_middle_of_a_batch_loses_and_repeats_nothing() throws Exception {
    AppendResult last = append(STREAM, events("a", 40));
    Seen seen = new Seen();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    Subscriptions first = runner(storage);
    Registration running =
        first.start(
            Subscription.named("all")
                .handler(
                    event -> {
                      if (event.version() == 17) {
                        inside.countDown();
                        Outcomes.await(goOn);
                      }
                      seen.handle(event);
                    }));
    Outcomes.await(inside);
    Task<Boolean> stopping =
        Task.start(
            () -> {
              running.close();
              return true;
            });
    assertTrue(stopping.isStillRunningAfterMillis(50), "U1: a stop waits for the handler");
    goOn.countDown();
    assertTrue(stopping.result(), "U1: the stop has ended");
    assertEquals(17, seen.all().size(), "U1: what the handler was at is finished, and no more");
    Subscriptions second = runner(open());
    second.start(Subscription.named("all").handler(seen));
    awaitPosition(second, "all", last);
    assertEquals(readLog(), seen.all(), "U1: the rest follows, nothing comes twice");
  }

  @Test
  void U1_what_an_owner_was_at_when_it_died_comes_again() {
    AppendResult last = append(STREAM, events("a", 5));
    crashAt(Set.of(3L));
    Seen seen = new Seen();
    Subscriptions next = runner(open(), LOOKING);
    next.start(Subscription.named("all").handler(seen));
    awaitPosition(next, "all", last);
    List<String> texts = seen.texts();
    assertTrue(
        texts.containsAll(List.of("a/2", "a/3", "a/4")),
        () -> "U1: the next owner begins no later than at the event that was not done: " + texts);
    assertEquals(readLog().subList(5 - texts.size(), 5), seen.all(), "U1: once, and in order");
  }

  @Test
  void U1_filters_and_starts() {
    append(STREAM, event("kept", "1"), event("left", "2"));
    AppendResult middle = append(THIRD, event("kept", "3"));
    append(STREAM, event("kept", "4"));
    Seen byType = new Seen();
    Seen byCategory = new Seen();
    Seen byStream = new Seen();
    Seen fromPosition = new Seen();
    Seen fromNow = new Seen();
    Subscriptions here = runner(storage);
    here.start(Subscription.named("type").filter(EventFilter.types("kept")).handler(byType));
    here.start(
        Subscription.named("category").filter(EventFilter.categories("order")).handler(byCategory));
    here.start(Subscription.named("stream").stream(STREAM).handler(byStream));
    here.start(Subscription.named("position").from(middle.position()).handler(fromPosition));
    here.start(Subscription.named("now").fromNow().handler(fromNow));
    awaitPosition(here, "now", readLog().getLast().position());
    append(STREAM, event("kept", "5"), event("left", "6"));
    append(OTHER, event("left", "7"));
    AppendResult last = append(THIRD, event("left", "8"));
    for (String name : List.of("type", "category", "stream", "position", "now")) {
      awaitPosition(here, name, last);
    }
    assertEquals(List.of("1", "3", "4", "5"), byType.texts(), "U1: by type");
    assertEquals(List.of("3", "8"), byCategory.texts(), "U1: by category");
    assertEquals(List.of("1", "2", "4", "5", "6"), byStream.texts(), "U1: by stream");
    assertEquals(List.of("4", "5", "6", "7", "8"), fromPosition.texts(), "U1: from a position");
    assertEquals(List.of("5", "6", "7", "8"), fromNow.texts(), "U1: from now");
  }

  @Test
  void U1_the_cursor_passes_what_the_filter_leaves_out() {
    Subscriptions here = runner(storage);
    here.start(Subscription.named("none").filter(EventFilter.types("never")).handler(new Seen()));
    AppendResult last = append(STREAM, events("other", 20));
    awaitPosition(here, "none", last);
    here.close();
    assertEquals(
        last.position(),
        storage.checkpoints().load("subscription/none/0").orElseThrow().position(),
        "U1: a restart does not read again what it left out");
  }

  @Test
  void U1_an_open_append_is_waited_for_and_named() {
    AppendResult before = append(STREAM, event("before"));
    Seen seen = new Seen();
    Subscriptions here = runner(storage);
    here.start(Subscription.named("all").handler(seen));
    awaitPosition(here, "all", before);
    HeldAppend held = fixture.hold(any(STREAM, event("held")));
    Task<AppendResult> behind = appendBeside(OTHER, event("behind"));
    if (can(Capability.PARALLEL_APPENDS)) {
      // A store may give the open append another place, and then nothing is held back any more.
      Await.until(
          () ->
              here.status().getFirst().state() == State.WAITING_FOR_COMMIT
                  || seen.texts().contains("behind"),
          () -> "G4: an event is held back, and the status doesn't say so: " + here.status());
    }
    List<RecordedEvent> soFar = seen.all();
    assertEquals(readLog().subList(0, soFar.size()), soFar, "G2: nothing is handed out of order");
    assertFalse(texts(soFar).contains("held"), "S1: nothing of an open append is handed out");
    held.commit();
    awaitPosition(here, "all", behind.result());
    assertEquals(readLog(), seen.all(), "U1: after the commit all of it, in order");
    assertEquals(3, seen.all().size(), "U1: and none is missing");
  }

  // U3: one owner

  @Test
  void U3_two_processes_run_a_subscription_once_and_the_second_takes_over() {
    Seen seen = new Seen();
    Subscriptions first = runner(storage);
    Subscriptions second = runner(open(), LOOKING);
    first.start(Subscription.named("all").handler(seen));
    second.start(Subscription.named("all").handler(seen));
    AppendResult middle = append(STREAM, events("a", 50));
    awaitPosition(first, "all", middle);
    first.close();
    AppendResult last = append(STREAM, events("b", 50));
    awaitPosition(second, "all", last);
    assertEquals(readLog(), seen.all(), "U3: each event once, by one of the two");
  }

  @Test
  void U3_an_owner_that_lost_its_lease_can_not_save_its_checkpoint() {
    AtomicInteger handled = new AtomicInteger();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    append(STREAM, events("a", 3));
    Subscriptions first = runner(storage);
    first.start(
        Subscription.named("all")
            .handler(
                event -> {
                  inside.countDown();
                  Outcomes.await(goOn);
                  handled.incrementAndGet();
                }));
    Outcomes.await(inside);
    // As if it had been paused for longer than its lease: taken away by the store.
    storage.leases().list("subscription/all/").forEach(storage.leases()::release);
    Seen seen = new Seen();
    Subscriptions second = runner(open(), LOOKING);
    second.start(Subscription.named("all").handler(seen));
    seen.awaitAtLeast(3);
    AppendResult last = append(STREAM, event("b"));
    awaitPosition(second, "all", last);
    long token = token("all");
    goOn.countDown();
    Await.until(() -> handled.get() >= 1, () -> "U3: the old owner's handler did not return");
    first.close();
    assertEquals(readLog(), seen.all(), "U3: the new owner dealt with everything");
    assertEquals(token, token("all"), "U3: the old owner's checkpoint was refused");
  }

  @Test
  void U3_from_its_takeover_on_only_the_new_owner_moves_the_checkpoint() {
    AppendResult last = append(STREAM, events("a", 3));
    CountDownLatch firstIsInside = new CountDownLatch(1);
    CountDownLatch firstGoesOn = new CountDownLatch(1);
    CountDownLatch secondIsInside = new CountDownLatch(1);
    CountDownLatch secondGoesOn = new CountDownLatch(1);
    Subscriptions first = runner(storage);
    first.start(
        Subscription.named("all")
            .handler(
                event -> {
                  firstIsInside.countDown();
                  Outcomes.await(firstGoesOn);
                }));
    Outcomes.await(firstIsInside);
    storage.leases().list("subscription/all/").forEach(storage.leases()::release);
    Seen seen = new Seen();
    Subscriptions second = runner(open(), LOOKING);
    second.start(
        Subscription.named("all")
            .handler(
                event -> {
                  secondIsInside.countDown();
                  Outcomes.await(secondGoesOn);
                  seen.handle(event);
                }));
    Outcomes.await(secondIsInside);
    // The new owner has saved nothing of what it is at when the old one comes to its end.
    firstGoesOn.countDown();
    first.close();
    assertEquals(
        Position.START,
        storage.checkpoints().load("subscription/all/0").orElseThrow().position(),
        "U3: the old owner's save is refused from the takeover on");
    secondGoesOn.countDown();
    awaitPosition(second, "all", last);
    assertEquals(readLog(), seen.all(), "U3: the new owner dealt with everything, once");
  }

  @Test
  void U3_partitions_share_the_work_keep_each_streams_order_and_move() {
    Map<StreamId, List<Long>> seen = new ConcurrentHashMap<>();
    EventHandler handler =
        event ->
            seen.computeIfAbsent(
                    event.stream(), s -> Collections.synchronizedList(new ArrayList<>()))
                .add(event.version());
    Subscriptions first = runner(storage, LOOKING);
    first.start(Subscription.named("split").partitions(4).handler(handler));
    for (int i = 0; i < 40; i++) {
      append(StreamId.of("account", "s" + i), events("a", 5));
    }
    awaitOwners(first, "split", 1);
    Subscriptions second = runner(open(), LOOKING);
    second.start(Subscription.named("split").partitions(4).handler(handler));
    awaitOwners(second, "split", 2);
    for (int i = 0; i < 40; i++) {
      append(StreamId.of("account", "s" + i), events("b", 5));
    }
    awaitPosition(second, "split", readLog().getLast().position());
    assertEquals(40, seen.size(), "U3: every stream arrives");
    seen.forEach(
        (stream, versions) ->
            assertEquals(
                List.of(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L),
                versions,
                () -> "U3: each event of " + stream + " once and in order, over a hand-over"));
    first.close();
    awaitOwners(second, "split", 1);
  }

  // U4: failures

  @Test
  void U4_a_failed_event_is_tried_again_and_then_goes_on() {
    AtomicInteger tries = new AtomicInteger();
    Seen seen = new Seen();
    AppendResult last = append(STREAM, events("a", 5));
    Subscriptions here = runner(storage);
    here.start(
        Subscription.named("all")
            .failures(QUICK)
            .handler(failing(e -> e.version() == 3 && tries.incrementAndGet() < 3, seen)));
    awaitPosition(here, "all", last);
    assertEquals(3, tries.get(), "U4: tried three times");
    assertEquals(readLog(), seen.all(), "U4: no event is handed out twice or left out");
  }

  @Test
  void U4_an_event_that_always_fails_stops_the_subscription_until_somebody_decides() {
    AtomicInteger tries = new AtomicInteger();
    Seen seen = new Seen();
    AppendResult last = append(STREAM, events("a", 5));
    Subscriptions here = runner(storage);
    here.start(
        Subscription.named("all")
            .failures(QUICK)
            .handler(failing(e -> e.version() == 3 && tries.incrementAndGet() > 0, seen)));
    SubscriptionStatus status = awaitState(here, State.STOPPED);
    assertTrue(status.detail().contains("on purpose"), () -> "U4: the status says why: " + status);
    assertEquals(3, tries.get(), "U4: as often as configured");
    assertEquals(List.of("a/0", "a/1"), seen.texts(), "U4: nothing behind it is handed out");
    // A restart changes nothing: the attempts are kept with the checkpoint.
    here.close();
    Subscriptions again = runner(open());
    again.start(Subscription.named("all").failures(QUICK).handler(seen));
    awaitState(again, State.STOPPED);
    assertThrows(
        IllegalArgumentException.class,
        () -> again.skip("all", OTHER, "anna", "wrong stream"),
        "U4: only what waits can be skipped");
    again.skip("all", STREAM, "anna", "known bad");
    awaitPosition(again, "all", last);
    assertEquals(List.of("a/0", "a/1", "a/3", "a/4"), seen.texts(), "U4: skipped on command");
    SubscriptionStatus after = again.status().getFirst();
    assertEquals("skip", after.decisions().getFirst().what(), "U4: never in silence");
    assertEquals("anna", after.decisions().getFirst().who(), "U4: who has skipped it");
    assertEquals("known bad", after.decisions().getFirst().why(), "U4: why it was skipped");
  }

  @Test
  void U4_a_parked_stream_waits_in_order_while_others_go_on() {
    AtomicBoolean broken = new AtomicBoolean(true);
    Seen seen = new Seen();
    Subscriptions here = runner(storage);
    here.start(
        Subscription.named("all")
            .failures(QUICK_PARK)
            .handler(failing(e -> broken.get() && isBad(e), seen)));
    append(STREAM, event("1"), event("bad"), event("3"));
    append(OTHER, event("o1"));
    append(STREAM, event("4"));
    AppendResult last = append(OTHER, event("o2"));
    awaitPosition(here, "all", last);
    assertEquals(List.of("1", "o1", "o2"), seen.texts(), "U4: only the one stream waits");
    SubscriptionStatus status = awaitState(here, State.PARKED);
    assertEquals(STREAM, status.parked().getFirst().stream(), "U4: which stream waits");
    assertEquals(2, status.parked().getFirst().version(), "U4: at which event it waits");
    here.resume("all", STREAM, "anna", "maybe it works now");
    Await.until(
        () ->
            here.status().getFirst().decisions().size() == 1
                && here.status().getFirst().parked().size() == 1
                && here.status().getFirst().parked().getFirst().attempts() == 1,
        () -> "U4: it is tried once more and parked again: " + here.status());
    broken.set(false);
    here.resume("all", STREAM, "anna", "fixed");
    seen.awaitAtLeast(6);
    append(STREAM, event("5"));
    awaitPosition(here, "all", append(OTHER, event("o3")));
    assertEquals(
        List.of("1", "bad", "3", "4", "5"),
        seen.of(STREAM),
        "U4: the parked events follow in order, each once");
    awaitState(here, State.RUNNING);
  }

  @Test
  void U4_a_parked_event_can_be_skipped_from_another_process() {
    Seen seen = new Seen();
    Subscriptions here = runner(storage);
    here.start(
        Subscription.named("all")
            .failures(QUICK_PARK)
            .handler(failing(SubscriptionContract::isBad, seen)));
    AppendResult last = append(STREAM, event("1"), event("bad"), event("3"));
    awaitPosition(here, "all", last);
    awaitState(here, State.PARKED);
    Subscriptions elsewhere = runner(open());
    elsewhere.skip("all", STREAM, "anna", "known bad");
    awaitState(here, State.RUNNING);
    assertEquals(List.of("1", "3"), seen.texts(), "U4: the rest of the stream follows");
  }

  @Test
  void U4_an_event_that_ends_the_process_is_parked_after_as_many_tries() {
    append(STREAM, events("a", 3));
    Set<Long> fatal = new HashSet<>(Set.of(2L));
    // One crash to raise suspicion, and two tries that are counted.
    for (int crash = 0; crash < 3; crash++) {
      crashAt(fatal);
    }
    Seen seen = new Seen();
    Subscriptions here = runner(open(), LOOKING);
    here.start(Subscription.named("all").failures(QUICK_PARK).handler(seen));
    SubscriptionStatus status = awaitState(here, State.PARKED);
    assertEquals(2, status.parked().getFirst().version(), "U4: the event that kills");
    assertFalse(seen.texts().contains("a/1"), "U4: it is not tried a third time");
  }

  /** A process that dies when it handles an event: its thread never returns, its lease is lost. */
  private void crashAt(Set<Long> versions) {
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch never = new CountDownLatch(1);
    Storage dying = open();
    Subscriptions process =
        Subscriptions.builder(dying)
            .leaseDuration(Duration.ofSeconds(1))
            .stopTimeout(Duration.ofMillis(1))
            .build();
    process.start(
        Subscription.named("all")
            .failures(QUICK_PARK)
            .handler(
                event -> {
                  if (versions.contains(event.version())) {
                    inside.countDown();
                    Outcomes.await(never);
                  }
                }));
    Outcomes.await(inside);
    // The handler is interrupted and ends by an error: nothing is saved, as in a crash.
    process.close();
  }

  private static boolean isBad(RecordedEvent event) {
    return event.data().toUtf8().equals("bad");
  }

  /** Fails on some events, and hands the others on. */
  private static EventHandler failing(Predicate<RecordedEvent> fails, EventHandler otherwise) {
    return event -> {
      if (fails.test(event)) {
        throw new IllegalArgumentException("a handler that fails on purpose");
      }
      otherwise.handle(event);
    };
  }

  private long token(String name) {
    return storage.checkpoints().load("subscription/" + name + "/0").orElseThrow().token();
  }

  private Subscriptions runner(Storage on) {
    return runner(on, LEASE);
  }

  private Subscriptions runner(Storage on, Duration lease) {
    Subscriptions runner = Subscriptions.builder(on).leaseDuration(lease).build();
    runners.add(runner);
    return runner;
  }

  private static void awaitPosition(Subscriptions runner, String name, AppendResult appended) {
    awaitPosition(runner, name, appended.position());
  }

  private static void awaitPosition(Subscriptions runner, String name, Position position) {
    assertTrue(
        runner.await(name, position, BOUND),
        () -> "U1: " + name + " did not get to " + position + ": " + runner.status());
  }

  private static SubscriptionStatus awaitState(Subscriptions runner, State state) {
    Await.until(
        () -> runner.status().getFirst().state() == state,
        () -> "U4: the subscription is not " + state + ": " + runner.status());
    return runner.status().getFirst();
  }

  private static void awaitOwners(Subscriptions runner, String name, int processes) {
    Await.until(
        () -> {
          List<SubscriptionStatus> all = runner.status();
          Set<String> owners =
              all.stream().flatMap(each -> each.owner().stream()).collect(Collectors.toSet());
          return owners.size() == processes && all.stream().noneMatch(s -> s.owner().isEmpty());
        },
        () -> "U3: " + name + " is not run by " + processes + " processes: " + runner.status());
  }

  /** Remembers what it was given. */
  private static final class Seen implements EventHandler {

    private final List<RecordedEvent> events = Collections.synchronizedList(new ArrayList<>());

    @Override
    public void handle(RecordedEvent event) {
      events.add(event);
    }

    List<RecordedEvent> all() {
      synchronized (events) {
        return List.copyOf(events);
      }
    }

    List<String> texts() {
      return Given.texts(all());
    }

    List<String> of(StreamId stream) {
      return Given.texts(all().stream().filter(e -> e.stream().equals(stream)).toList());
    }

    void awaitAtLeast(int count) {
      Await.until(
          () -> events.size() >= count,
          () -> "U1: only " + events.size() + " of " + count + " arrived");
    }
  }

  /** Waits with a bound; an interrupt ends the handler as the death of its process would. */
  private static final class Outcomes {

    static void await(CountDownLatch latch) {
      try {
        assertTrue(
            latch.await(60, TimeUnit.SECONDS),
            "U1: a handler did not come to where it is waited for");
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new Death();
      }
    }
  }

  /** No exception of a handler: an error, as when a process dies. */
  private static final class Death extends Error {
    private static final long serialVersionUID = 1L;
  }
}
