package dev.sluice.adapter.inmemory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.SubscriptionListener;
import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.core.subscription.SubscriptionStatus.State;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.core.subscription.TimedHandler;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the subscriptions of the core do when their store, their handlers or listeners misbehave.
 */
@Timeout(120)
class SubscriptionsTest {

  private static final Duration BOUND = Duration.ofSeconds(60);

  /** Long enough not to be lost on a busy machine, where nothing is to take over. */
  private static final Duration LEASE = Duration.ofSeconds(2);

  private static final StreamId STREAM = StreamId.of("account", "1");

  /** More events than the readers of the log's end keep in memory. */
  private static final int MORE_THAN_KEPT = 9_000;

  /** Some pages of the first, small size. */
  private static final int RARE = 600;

  private final InMemoryStorage memory = InMemoryStorage.create();
  private final List<Subscriptions> runners = new ArrayList<>();
  private final List<RecordedEvent> seen = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    runners.forEach(Subscriptions::close);
    memory.close();
  }

  @Test
  void who_falls_behind_gets_also_what_came_after_a_page_that_was_read_ahead() {
    // The page that is read ahead while the one before is dealt with, and ends where the log ends.
    CountDownLatch readToTheEnd = new CountDownLatch(1);
    Storage storage =
        new Faulty(memory) {
          @Override
          void read(Position after, LogPage page) {
            if (Thread.currentThread().getName().equals("sluice-read-slow")
                && !page.more()
                && !page.events().isEmpty()
                && page.events().size() < RARE) {
              readToTheEnd.countDown();
            }
          }
        };
    CountDownLatch live = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    CountDownLatch inTheMiddle = new CountDownLatch(1);
    CountDownLatch goOnFromTheMiddle = new CountDownLatch(1);
    Subscriptions runner = runner(storage);
    runner.start(
        Subscription.named("slow")
            .filter(EventFilter.categories("rare"))
            .handler(
                event -> {
                  if (seen.size() == 1) {
                    live.countDown();
                    await(goOn);
                  } else if (seen.size() == 100) {
                    await(readToTheEnd);
                    inTheMiddle.countDown();
                    await(goOnFromTheMiddle);
                  }
                  seen.add(event);
                }));
    runner.start(Subscription.named("quick").handler(event -> {}));
    StreamId rare = StreamId.of("rare", "1");
    assertThat(runner.await("slow", append(rare, 1), BOUND)).isTrue();
    append(rare, 1);
    await(live);
    // It follows the end, and is left behind by it: a few events that it wants, many for the other.
    append(rare, RARE);
    assertThat(runner.await("quick", append(MORE_THAN_KEPT), BOUND)).isTrue();
    goOn.countDown();
    await(inTheMiddle);
    Position last = append(rare, RARE);
    assertThat(runner.await("quick", append(MORE_THAN_KEPT), BOUND)).isTrue();
    goOnFromTheMiddle.countDown();
    assertThat(runner.await("slow", last, BOUND)).isTrue();
    assertThat(versions())
        .as("each event once, in order, and none skipped")
        .isEqualTo(IntStream.rangeClosed(1, 2 + 2 * RARE).boxed().toList());
  }

  @Test
  void nothing_is_skipped_where_the_log_ends_before_what_another_process_has_seen() {
    Position middle = append(3);
    EndsEarlier storage = new EndsEarlier(middle, append(3));
    Subscriptions runner = runnerThatFollowsFromTheEnd(storage);
    runner.start(Subscription.named("behind").handler(seen::add));
    until(() -> storage.looks.size() >= 2);
    storage.end.set(new Position(Long.MAX_VALUE));
    assertThat(runner.await("behind", append(1), BOUND)).isTrue();
    assertThat(versions()).containsExactly(1, 2, 3, 4, 5, 6, 7);
  }

  @Test
  void nobody_spins_where_the_log_ends_before_what_another_process_has_seen() {
    Position middle = append(3);
    EndsEarlier storage = new EndsEarlier(middle, append(3));
    Subscriptions runner = runnerThatFollowsFromTheEnd(storage);
    runner.start(Subscription.named("behind").handler(seen::add));
    until(() -> storage.looks.size() >= 40);
    assertThat(Duration.ofNanos(storage.looks.get(39) - storage.looks.getFirst()))
        .as("between two looks is a pause")
        .isGreaterThan(Duration.ofMillis(100));
  }

  /** Its end is where another process, which had seen more of the log, has come to. */
  private Subscriptions runnerThatFollowsFromTheEnd(EndsEarlier storage) {
    Subscriptions elsewhere = runner(memory);
    elsewhere.start(Subscription.named("ahead").handler(event -> {}));
    assertThat(elsewhere.await("ahead", storage.last, BOUND)).isTrue();
    elsewhere.close();
    Subscriptions runner = runner(storage);
    runner.start(Subscription.named("ahead").handler(event -> {}));
    await(storage.followed);
    return runner;
  }

  /** A log that ends, for a while, before what can be read of it elsewhere. */
  private final class EndsEarlier extends Faulty {

    private final AtomicReference<Position> end;
    private final Position middle;
    private final Position last;
    private final CountDownLatch followed = new CountDownLatch(1);

    /** When the end was read by somebody who has not yet come to what others have seen. */
    private final List<Long> looks = new CopyOnWriteArrayList<>();

    EndsEarlier(Position middle, Position last) {
      super(memory);
      this.middle = middle;
      this.last = last;
      this.end = new AtomicReference<>(middle);
    }

    @Override
    LogPage shown(Position after, LogPage page) {
      if (Thread.currentThread().getName().startsWith("sluice-tail") && after.equals(last)) {
        followed.countDown();
      }
      Position until = end.get();
      if (!page.next().isAfter(until)) {
        return page;
      }
      if (after.equals(middle)) {
        looks.add(System.nanoTime());
      }
      return new LogPage(
          page.events().stream().filter(event -> !event.position().isAfter(until)).toList(),
          Position.max(after, until),
          false);
    }
  }

  @Test
  void an_outage_of_the_store_is_no_attempt_of_an_event_under_suspicion() {
    List<RuntimeException> failures =
        Collections.synchronizedList(
            new ArrayList<>(
                List.of(
                    new IllegalArgumentException("poison"),
                    outage(),
                    outage(),
                    outage(),
                    outage(),
                    new IllegalArgumentException("poison"))));
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(
                FailurePolicy.STOP.withAttempts(3, Duration.ofMillis(1), Duration.ofMillis(1)))
            .handler(
                event -> {
                  if (!failures.isEmpty()) {
                    throw failures.removeFirst();
                  }
                  seen.add(event);
                }));
    Position last = append(2);
    assertThat(runner.await("all", last, BOUND))
        .as("the third try, outages not counted, succeeds: %s", runner.status())
        .isTrue();
    assertThat(versions()).containsExactly(1, 2);
  }

  @Test
  void a_conflict_about_a_checkpoint_of_the_handler_s_own_is_a_failure_of_its_event() {
    Checkpoint own = Checkpoint.first("of-the-handler", new Position(1), Payload.EMPTY, 0);
    memory.checkpoints().save(own);
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(park(3))
            .handler(
                event -> {
                  seen.add(event);
                  memory.checkpoints().save(own);
                }));
    append(1);
    until(() -> state(runner) == State.PARKED);
    assertThat(versions()).as("three tries, no more").containsExactly(1, 1, 1);
    assertThat(runner.status().getFirst().parked().getFirst().error()).contains("of-the-handler");
  }

  @Test
  void a_partition_that_is_being_handed_over_keeps_its_lease_until_its_handler_is_done() {
    Set<String> joined = ConcurrentHashMap.newKeySet();
    List<String> renewedWhileHandedOver = new CopyOnWriteArrayList<>();
    Storage first =
        new Faulty(memory) {
          @Override
          void renewing(Lease lease) {
            if (!joined.isEmpty() && !lease.name().contains("/member/")) {
              renewedWhileHandedOver.add(lease.name());
            }
          }
        };
    Storage second =
        new Faulty(memory.another()) {
          @Override
          void acquired(Lease lease) {
            joined.add(lease.name());
          }
        };
    CountDownLatch inside = new CountDownLatch(2);
    CountDownLatch goOn = new CountDownLatch(1);
    for (int i = 0; i < 20; i++) {
      append(StreamId.of("account", "s" + i), 1);
    }
    AtomicInteger handledBySecond = new AtomicInteger();
    Subscriptions here = runner(first);
    here.start(
        Subscription.named("split")
            .partitions(2)
            .handler(
                event -> {
                  inside.countDown();
                  await(goOn);
                  seen.add(event);
                }));
    await(inside);
    Subscriptions there = runner(second);
    there.start(
        Subscription.named("split")
            .partitions(2)
            .handler(event -> handledBySecond.incrementAndGet()));
    // Each is renewed at half of its time, and what is handed over is decided more often: so one of
    // the two has been asked to stop long before.
    for (String partition : List.of("subscription/split/0", "subscription/split/1")) {
      until(() -> Collections.frequency(renewedWhileHandedOver, partition) >= 4);
    }
    assertThat(joined).as("the second process waits for its share").hasSize(1);
    assertThat(handledBySecond).hasValue(0);
    goOn.countDown();
    until(() -> joined.size() == 2);
    Position last = memory.globalLog().status().head();
    assertThat(there.await("split", last, BOUND)).isTrue();
    assertThat(seen.size() + handledBySecond.get())
        .as("each event by one of the two")
        .isEqualTo(20);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void a_handler_can_stop_its_own_subscription(boolean stopsAll) {
    Subscriptions runner = runner(memory);
    AtomicReference<Registration> own = new AtomicReference<>();
    CountDownLatch started = new CountDownLatch(1);
    AtomicBoolean interrupted = new AtomicBoolean();
    own.set(
        runner.start(
            Subscription.named("all")
                .batchSize(1)
                .handler(
                    event -> {
                      await(started);
                      seen.add(event);
                      if (stopsAll) {
                        runner.close();
                      } else {
                        own.get().close();
                      }
                      interrupted.set(Thread.currentThread().isInterrupted());
                    })));
    started.countDown();
    append(2);
    // Sooner than the stop would give up waiting, and with its checkpoint saved.
    until(() -> memory.leases().list("subscription/").isEmpty() && !seen.isEmpty());
    assertThat(interrupted).isFalse();
    assertThat(versions()).containsExactly(1);
    assertThat(memory.checkpoints().load("subscription/all/0").orElseThrow().position())
        .isEqualTo(seen.getFirst().position());
  }

  @Test
  void processes_that_come_and_go_leave_no_names_of_leases_behind() {
    List<String> acquired = new CopyOnWriteArrayList<>();
    Storage storage =
        new Faulty(memory) {
          @Override
          void acquired(Lease lease) {
            acquired.add(lease.name());
          }
        };
    Subscription split = Subscription.named("split").partitions(2).handler(seen::add);
    for (int i = 0; i < 3; i++) {
      Subscriptions runner = runner(storage);
      runner.start(split);
      int both = 2 * (i + 1);
      until(() -> acquired.stream().filter(name -> !name.contains("/member/")).count() == both);
      runner.close();
    }
    assertThat(acquired).filteredOn(name -> name.contains("/member/")).hasSize(3);
    assertThat(Set.copyOf(acquired))
        .containsExactlyInAnyOrder(
            "subscription/split/member/0", "subscription/split/0", "subscription/split/1");
    runner(storage).start(split);
    runner(storage).start(split);
    until(() -> acquired.contains("subscription/split/member/1"));
  }

  @Test
  void one_subscription_whose_lease_can_not_be_had_does_not_take_the_leases_of_the_others() {
    Storage storage =
        new Faulty(memory) {
          @Override
          void acquiring(String name) {
            if (name.startsWith("subscription/bad/")) {
              throw new IllegalStateException("no lease for " + name);
            }
          }
        };
    Subscriptions runner = runner(storage);
    List<String> names = IntStream.range(0, 8).mapToObj(i -> "good-" + i).toList();
    runner.start(Subscription.named("bad").handler(event -> {}));
    names.forEach(name -> runner.start(Subscription.named(name).handler(event -> {})));
    Position last = append(3);
    for (String name : names) {
      assertThat(runner.await(name, last, BOUND)).as(name).isTrue();
    }
    assertThat(runner.status())
        .filteredOn(status -> status.state() == State.NO_OWNER)
        .extracting(SubscriptionStatus::subscription)
        .containsExactly("bad");
  }

  @Test
  void listeners_that_throw_do_no_harm() {
    List<String> told = new CopyOnWriteArrayList<>();
    Subscriptions runner =
        Subscriptions.builder(memory)
            .listener(
                new Telling() {
                  @Override
                  void tell(String what) {
                    throw new IllegalStateException("a listener's own trouble");
                  }
                })
            .listener(
                new Telling() {
                  @Override
                  void tell(String what) {
                    told.add(what);
                  }
                })
            .build();
    runners.add(runner);
    runner.start(
        Subscription.named("all")
            .failures(
                FailurePolicy.PARK.withAttempts(2, Duration.ofMillis(1), Duration.ofMillis(1)))
            .handler(
                event -> {
                  if (event.version() == 2) {
                    throw new IllegalArgumentException("poison");
                  }
                }));
    append(2);
    Position last = append(StreamId.of("account", "2"), 1);
    assertThat(runner.await("all", last, BOUND)).isTrue();
    until(() -> told.contains("handled"));
    assertThat(told).contains("handled", "retrying", "parked");
  }

  @Test
  void the_log_s_end_is_read_on_after_an_error_of_the_store() {
    AtomicReference<@Nullable Error> next = new AtomicReference<>();
    Storage storage =
        new Faulty(memory) {
          @Override
          void read(Position after, LogPage page) {
            Error error = next.getAndSet(null);
            if (error != null) {
              throw error;
            }
          }
        };
    Subscriptions runner = runner(storage);
    runner.start(Subscription.named("all").handler(seen::add));
    Position first = append(1);
    assertThat(runner.await("all", first, BOUND)).isTrue();
    next.set(new LinkageError("a class that is not there"));
    until(() -> next.get() == null);
    Position last = append(1);
    assertThat(runner.await("all", last, BOUND)).isTrue();
    assertThat(versions()).containsExactly(1, 2);
  }

  @Test
  void leases_are_kept_after_an_error_of_the_store() {
    AtomicReference<@Nullable Error> next =
        new AtomicReference<>(new LinkageError("a class is not there"));
    Storage storage =
        new Faulty(memory) {
          @Override
          void acquiring(String name) {
            Error error = next.getAndSet(null);
            if (error != null) {
              throw error;
            }
          }
        };
    Subscriptions runner = runner(storage);
    runner.start(Subscription.named("all").handler(seen::add));
    assertThat(runner.await("all", append(1), BOUND)).isTrue();
  }

  @Test
  void the_lag_of_a_partition_counts_its_own_events_only() {
    CountDownLatch goOn = new CountDownLatch(1);
    Subscriptions runner = runner(memory);
    StreamId slow = StreamId.of("account", "1");
    runner.start(
        Subscription.named("split")
            .partitions(2)
            .handler(
                event -> {
                  if (event.stream().equals(slow)) {
                    await(goOn);
                  }
                }));
    int others = 0;
    int slows = 0;
    SubscriptionStatus any = runner.status().getFirst();
    for (int i = 1; i <= 20; i++) {
      StreamId stream = StreamId.of("account", "" + i);
      append(stream, 1);
      if (any.partition().contains(stream) == any.partition().contains(slow)) {
        slows++;
      } else {
        others++;
      }
    }
    int wanted = slows;
    assertThat(others).isPositive();
    // One may be done before the other one has an owner.
    until(
        () ->
            runner.status().stream()
                .map(SubscriptionStatus::state)
                .collect(Collectors.toSet())
                .equals(Set.of(State.RUNNING, State.CATCHING_UP)));
    until(() -> lags(runner).equals(List.of(0L, (long) wanted)));
    goOn.countDown();
    until(() -> lags(runner).equals(List.of(0L, 0L)));
  }

  @Test
  void a_resumed_event_that_ends_its_process_is_parked_again_after_as_many_tries() {
    AtomicReference<Throwable> failure = new AtomicReference<>(new IllegalArgumentException("no"));
    AtomicInteger deaths = new AtomicInteger();
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(park(2))
            .handler(
                event -> {
                  if (event.stream().equals(STREAM)) {
                    if (failure.get() instanceof Error error) {
                      deaths.incrementAndGet();
                      throw error;
                    }
                    throw new IllegalArgumentException("no");
                  }
                }));
    assertThat(runner.await("all", append(1), BOUND)).isTrue();
    failure.set(new LinkageError("as if the process had died"));
    runner.resume("all", STREAM, "anna", "maybe it works now");
    until(() -> deaths.get() == 2);
    Position last = append(StreamId.of("account", "2"), 1);
    assertThat(runner.await("all", last, BOUND)).as("%s", runner.status()).isTrue();
    assertThat(deaths).hasValue(2);
    assertThat(runner.status().getFirst().parked().getFirst().error()).contains("ended each time");
  }

  /** By it the next owner says which events it will miss. */
  @Test
  void what_the_last_owner_read_stands_in_the_checkpoint() {
    for (EventFilter filter :
        List.of(EventFilter.types("old"), EventFilter.types("new", "old"), EventFilter.ALL)) {
      String line = String.join("\t", List.of("types", String.join("\t", filter.types()))).strip();
      try (Subscriptions runner = runner(memory)) {
        runner.start(Subscription.named("all").filter(filter).handler(event -> {}));
        until(
            () ->
                memory.checkpoints().list("subscription/all/").stream()
                    .flatMap(checkpoint -> checkpoint.state().toUtf8().lines())
                    .anyMatch(line::equals));
      }
    }
  }

  @Test
  void an_outage_is_no_attempt_of_a_resumed_event() {
    AtomicInteger outages = new AtomicInteger(3);
    AtomicBoolean poison = new AtomicBoolean(true);
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(park(2))
            .handler(
                event -> {
                  if (poison.get()) {
                    throw new IllegalArgumentException("poison");
                  }
                  if (outages.getAndDecrement() > 0) {
                    throw outage();
                  }
                  seen.add(event);
                }));
    assertThat(runner.await("all", append(2), BOUND)).isTrue();
    poison.set(false);
    runner.resume("all", STREAM, "anna", "mended");
    until(() -> seen.size() == 2);
    until(() -> runner.status().getFirst().state() == State.RUNNING);
  }

  @Test
  void a_parked_event_is_replaced_for_the_handler_and_the_stored_one_stays() {
    EventCodec codec =
        EventCodec.of(
            EventTypes.<DomainEvent>builder().add("corrected", Corrected.class).build(),
            JacksonSerializer.create());
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(park(1))
            .handler(
                event -> {
                  if (event.version() == 2 && event.type().equals("deposited")) {
                    throw new IllegalArgumentException("poison");
                  }
                  seen.add(event);
                }));
    assertThat(runner.await("all", append(3), BOUND)).isTrue();
    runner.replace("all", STREAM, codec, new Corrected(7), "anna", "a typing error");
    until(() -> seen.size() == 3);
    assertThat(versions()).containsExactly(1, 2, 3);
    assertThat(codec.decode(seen.get(1))).isEqualTo(new Corrected(7));
    assertThat(seen.get(2).type()).isEqualTo("deposited");
    assertThat(memory.eventStore().readFrom(STREAM, 2).findFirst().orElseThrow().type())
        .isEqualTo("deposited");
    assertThat(runner.status().getFirst().decisions().getFirst().what()).isEqualTo("replace");
  }

  record Corrected(long by) implements DomainEvent {}

  @Test
  void what_an_event_is_replaced_with_need_not_be_text() {
    Payload bytes = Payload.of(new byte[] {-54, -2, -128, 1});
    EventCodec codec =
        EventCodec.of(
            EventTypes.<DomainEvent>builder().add("corrected", Corrected.class).build(),
            new Serializer() {
              @Override
              public Payload write(Object value) {
                return bytes;
              }

              @Override
              public <T> T read(Payload payload, Class<T> type) {
                throw new IllegalStateException("nothing is read here");
              }
            });
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(park(1))
            .handler(
                event -> {
                  if (event.type().equals("deposited")) {
                    throw new IllegalArgumentException("poison");
                  }
                  seen.add(event);
                }));
    assertThat(runner.await("all", append(1), BOUND)).isTrue();
    runner.replace("all", STREAM, codec, new Corrected(7), "anna", "a typing error");
    until(() -> seen.size() == 1);
    assertThat(seen.getFirst().data()).isEqualTo(bytes);
  }

  @Test
  void the_partitions_of_a_process_that_died_are_taken_over() {
    for (int i = 0; i < 20; i++) {
      append(StreamId.of("account", "s" + i), 2);
    }
    Storage dying = memory.another();
    Subscriptions first = runner(dying);
    Subscriptions second = runner(memory);
    for (Subscriptions each : List.of(first, second)) {
      each.start(Subscription.named("split").partitions(4).handler(seen::add));
    }
    until(() -> owners(second).size() == 2 && owned(second) == 4);
    assertThat(second.await("split", memory.globalLog().status().head(), BOUND)).isTrue();
    dying.close();
    for (int i = 0; i < 20; i++) {
      append(StreamId.of("account", "s" + i), 2);
    }
    assertThat(second.await("split", memory.globalLog().status().head(), BOUND))
        .as("%s", second.status())
        .isTrue();
    until(() -> owners(second).size() == 1 && owned(second) == 4);
    assertThat(seen).as("each event").hasSizeGreaterThanOrEqualTo(80);
    assertThat(Set.copyOf(seen)).hasSize(80);
  }

  private static Set<String> owners(Subscriptions runner) {
    return runner.status().stream()
        .flatMap(status -> status.owner().stream())
        .collect(Collectors.toSet());
  }

  private static long owned(Subscriptions runner) {
    return runner.status().stream().filter(status -> status.owner().isPresent()).count();
  }

  @Test
  void all_leases_are_kept_until_the_last_handler_is_done() throws Exception {
    List<String> names = List.of("a", "b", "c");
    CountDownLatch inside = new CountDownLatch(names.size());
    CountDownLatch goOn = new CountDownLatch(1);
    Subscriptions runner =
        Subscriptions.builder(memory).leaseDuration(Duration.ofSeconds(2)).build();
    runners.add(runner);
    for (String name : names) {
      runner.start(
          Subscription.named(name)
              .handler(
                  event -> {
                    inside.countDown();
                    await(goOn);
                  }));
    }
    append(1);
    await(inside);
    Map<String, Instant> begun = expiries();
    Thread closing = Thread.ofVirtual().start(runner::close);
    // Each is renewed twice while the handlers take their time.
    for (int i = 0; i < 2; i++) {
      Map<String, Instant> before = i == 0 ? begun : expiries();
      until(
          () -> {
            Map<String, Instant> now = expiries();
            assertThat(now.keySet()).as("all are held").hasSize(names.size());
            return now.entrySet().stream()
                .allMatch(
                    lease ->
                        lease
                            .getValue()
                            .isAfter(
                                before
                                    .getOrDefault(lease.getKey(), Instant.EPOCH)
                                    .plusMillis(300)));
          });
    }
    goOn.countDown();
    assertThat(closing.join(BOUND)).isTrue();
  }

  private Map<String, Instant> expiries() {
    return memory.leases().list("subscription/").stream()
        .collect(Collectors.toMap(Lease::name, Lease::expiresAt));
  }

  @Test
  void the_interrupt_of_a_stop_is_no_failure_of_the_event() {
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch never = new CountDownLatch(1);
    Subscriptions first =
        Subscriptions.builder(memory)
            .leaseDuration(Duration.ofMillis(400))
            .stopTimeout(Duration.ofMillis(1))
            .build();
    first.start(
        Subscription.named("all")
            .failures(park(1))
            .handler(
                event -> {
                  inside.countDown();
                  try {
                    never.await();
                  } catch (InterruptedException e) {
                    throw new IllegalStateException("interrupted, and the flag is gone", e);
                  }
                }));
    Position last = append(1);
    await(inside);
    first.close();
    Subscriptions second = runner(memory);
    second.start(Subscription.named("all").failures(park(1)).handler(seen::add));
    assertThat(second.await("all", last, BOUND)).isTrue();
    assertThat(versions()).containsExactly(1);
  }

  @Test
  void a_handler_that_can_not_be_made_leaves_the_lease_to_others() {
    CountDownLatch tried = new CountDownLatch(1);
    Subscriptions runner =
        Subscriptions.builder(memory).leaseDuration(Duration.ofMinutes(5)).build();
    runners.add(runner);
    runner.start(
        Subscription.named("all")
            .handlers(
                partition -> {
                  tried.countDown();
                  throw new IllegalStateException("not here");
                }));
    await(tried);
    until(() -> memory.leases().list("subscription/").isEmpty());
  }

  @Test
  void who_waits_is_told_also_while_an_owner_that_lost_its_lease_hangs_here() {
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    Subscriptions first = runner(memory);
    first.start(
        Subscription.named("all")
            .handler(
                event -> {
                  inside.countDown();
                  await(goOn);
                }));
    Position last = append(1);
    await(inside);
    Subscriptions second = runner(memory);
    memory.leases().list("subscription/").forEach(memory.leases()::release);
    second.start(Subscription.named("all").handler(seen::add));
    assertThat(second.await("all", last, BOUND)).isTrue();
    assertThat(first.await("all", last, Duration.ofSeconds(5))).isTrue();
    goOn.countDown();
  }

  @Test
  void await_says_when_time_was_up() {
    Subscriptions runner = runner(memory);
    runner.start(Subscription.named("all").handler(seen::add));
    Position last = append(1);
    assertThat(runner.await("all", last, BOUND)).isTrue();
    Position never = new Position(last.value() + 1);
    assertThat(runner.await("all", never, Duration.ofMillis(50))).isFalse();
    assertThat(runner.await("unknown", last, Duration.ofMillis(50))).isFalse();
  }

  @Test
  void the_end_of_the_log_is_read_in_pages_of_a_bounded_size() {
    AtomicInteger largest = new AtomicInteger();
    Storage storage =
        new Faulty(memory) {
          @Override
          void read(Position after, LogPage page) {
            if (Thread.currentThread().getName().startsWith("sluice-tail")) {
              largest.accumulateAndGet(page.events().size(), Math::max);
            }
          }
        };
    Subscriptions runner = runner(storage);
    runner.start(Subscription.named("all").handler(event -> {}));
    assertThat(runner.await("all", append(1), BOUND)).isTrue();
    assertThat(runner.await("all", append(STREAM, 300, "x".repeat(100_000)), BOUND)).isTrue();
    assertThat(largest.get()).as("some MB, and not all 30").isPositive().isLessThanOrEqualTo(64);
  }

  /** A storage that has no memory for many large events at once. */
  private static final class Narrow extends Faulty {

    private static final int LARGE = 40;
    private static final int AT_ONCE = 5;

    private final AtomicReference<Position> behind = new AtomicReference<>();
    private final AtomicInteger refused = new AtomicInteger();

    Narrow(Storage storage, Position behind) {
      super(storage);
      this.behind.set(behind);
    }

    @Override
    void read(Position after, LogPage page) {
      check(page.events());
    }

    @Override
    void read(StreamId stream, List<RecordedEvent> page) {
      check(page);
    }

    private void check(List<RecordedEvent> events) {
      if (events.stream().filter(event -> event.position().isAfter(behind.get())).count()
          > AT_ONCE) {
        refused.incrementAndGet();
        throw outage();
      }
    }
  }

  @Test
  void a_page_that_is_too_large_to_be_read_is_read_in_parts() {
    Narrow storage = new Narrow(memory, append(5_000));
    Position last = append(Narrow.LARGE);
    Subscriptions runner = runner(storage);
    runner.start(Subscription.named("all").handler(seen::add));
    assertThat(runner.await("all", last, BOUND)).as("%s", runner.status()).isTrue();
    assertThat(seen).hasSize(5_000 + Narrow.LARGE);
    assertThat(storage.refused).hasPositiveValue();
    // The log's end grows by what is small, and by what is large.
    storage.refused.set(0);
    storage.behind.set(new Position(Long.MAX_VALUE));
    Position small = append(1_000);
    assertThat(runner.await("all", small, BOUND)).isTrue();
    storage.behind.set(small);
    assertThat(runner.await("all", append(Narrow.LARGE), BOUND)).isTrue();
    assertThat(seen).hasSize(6_000 + 2 * Narrow.LARGE);
    assertThat(storage.refused).hasPositiveValue();
  }

  @Test
  void a_page_of_one_stream_that_is_too_large_to_be_read_is_read_in_parts() {
    Position small = append(1);
    Narrow storage = new Narrow(memory, small);
    Position last = append(Narrow.LARGE);
    Subscriptions runner = runner(storage);
    runner.start(Subscription.named("one").stream(STREAM).from(small).handler(seen::add));
    assertThat(runner.await("one", last, BOUND)).as("%s", runner.status()).isTrue();
    assertThat(seen).hasSize(Narrow.LARGE);
    assertThat(storage.refused).hasPositiveValue();
  }

  @Test
  void what_waits_in_a_parked_stream_is_read_in_parts_if_it_is_too_large() {
    AtomicBoolean mended = new AtomicBoolean();
    Narrow storage = new Narrow(memory, new Position(Long.MAX_VALUE));
    Subscriptions runner = runner(storage);
    runner.start(
        Subscription.named("all")
            .failures(park(1))
            .handler(
                event -> {
                  if (!mended.get()) {
                    throw new IllegalArgumentException("poison");
                  }
                  seen.add(event);
                }));
    assertThat(runner.await("all", append(Narrow.LARGE), BOUND)).isTrue();
    storage.behind.set(Position.START);
    mended.set(true);
    runner.resume("all", STREAM, "anna", "mended");
    until(() -> seen.size() == Narrow.LARGE);
    assertThat(storage.refused).hasPositiveValue();
  }

  @Test
  void the_status_can_be_read_also_where_not_all_fits_that_it_looks_at() {
    append(Narrow.LARGE);
    Subscriptions runner = runner(new Narrow(memory, Position.START));
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    runner.start(
        Subscription.named("split")
            .partitions(2)
            .handler(
                event -> {
                  inside.countDown();
                  await(goOn);
                }));
    await(inside);
    assertThat(lags(runner)).containsExactly(0L, (long) Narrow.LARGE);
    goOn.countDown();
  }

  @Test
  void a_single_stream_is_read_once_and_not_searched_for_each_page() {
    AtomicInteger read = new AtomicInteger();
    Storage storage =
        new Faulty(memory) {
          @Override
          void read(StreamId stream, List<RecordedEvent> page) {
            read.addAndGet(page.size());
          }
        };
    int events = 5_000;
    Position last = append(events);
    Subscriptions runner = runner(storage);
    runner.start(Subscription.named("one").stream(STREAM).handler(event -> {}));
    assertThat(runner.await("one", last, BOUND)).isTrue();
    assertThat(read.get()).as("the events").isBetween(events, 2 * events);
  }

  @Test
  void the_status_says_what_the_handler_can_not_reach_what_is_retried_and_what_is_parked() {
    AtomicReference<@Nullable RuntimeException> failure = new AtomicReference<>(outage());
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(
                FailurePolicy.PARK.withAttempts(2, Duration.ofMillis(1), Duration.ofSeconds(1)))
            .handler(
                event -> {
                  RuntimeException next = failure.get();
                  if (event.version() == 1 && next != null) {
                    throw next;
                  }
                  seen.add(event);
                }));
    append(1);
    until(() -> state(runner) == State.UNAVAILABLE);
    assertThat(runner.status().getFirst().detail()).contains("away for a moment");
    failure.set(new IllegalArgumentException("poison"));
    until(() -> state(runner) == State.PARKED);
    HeldAppend open = memory.schedule().hold(new Append(STREAM, ExpectedVersion.any(), events(1)));
    assertThat(state(runner)).as("an open append hides no parked stream").isEqualTo(State.PARKED);
    open.rollBack();
    failure.set(null);
    runner.resume("all", STREAM, "anna", "mended");
    until(() -> state(runner) == State.RUNNING);
  }

  @Test
  void the_status_says_that_an_event_is_retried() {
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(
                FailurePolicy.STOP.withAttempts(5, Duration.ofMinutes(1), Duration.ofMinutes(1)))
            .handler(
                event -> {
                  throw new IllegalArgumentException("poison");
                }));
    append(1);
    until(() -> state(runner) == State.RETRYING);
    assertThat(runner.status().getFirst().detail()).contains("version 1, try 1").contains("poison");
  }

  @Test
  void from_now_means_from_the_start_and_not_from_when_somebody_runs_it() {
    CountDownLatch appended = new CountDownLatch(1);
    Storage storage =
        new Faulty(memory) {
          @Override
          void acquiring(String name) {
            SubscriptionsTest.await(appended);
          }
        };
    append(2);
    Subscriptions runner = runner(storage);
    runner.start(Subscription.named("now").fromNow().handler(seen::add));
    Position last = append(2);
    appended.countDown();
    assertThat(runner.await("now", last, BOUND)).isTrue();
    assertThat(versions()).containsExactly(3, 4);
  }

  @Test
  void a_subscription_can_not_be_split_otherwise_and_says_so() {
    Subscriptions first = runner(memory);
    first.start(Subscription.named("split").partitions(2).handler(seen::add));
    for (int i = 0; i < 20; i++) {
      append(StreamId.of("account", "s" + i), 1);
    }
    assertThat(first.await("split", memory.globalLog().status().head(), BOUND)).isTrue();
    first.close();
    Subscriptions second = runner(memory);
    second.start(Subscription.named("split").partitions(4).handler(seen::add));
    until(
        () ->
            second.status().getFirst().state() == State.NO_OWNER
                && second.status().getFirst().detail().contains("begun with 2 partitions"));
    assertThat(second.await("split", memory.globalLog().status().head(), Duration.ofSeconds(1)))
        .as("also the partitions that were not there before do not begin anew")
        .isTrue();
    assertThat(seen).hasSize(20);
  }

  @Test
  void of_two_processes_that_begin_at_once_with_different_splits_one_runs_all_of_it() {
    // Each has found nothing stored before either of them stores something.
    CountDownLatch bothBegin = new CountDownLatch(2);
    Subscriptions first = runner(new BeginsTogether(bothBegin));
    Subscriptions second = runner(new BeginsTogether(bothBegin));
    for (int i = 0; i < 20; i++) {
      append(StreamId.of("account", "s" + i), 1);
    }
    first.start(Subscription.named("split").partitions(2).handler(seen::add));
    // The second could own all that the first has a use for, and wait for it for ever.
    until(() -> bothBegin.getCount() == 1);
    second.start(Subscription.named("split").partitions(4).handler(seen::add));
    Position last = memory.globalLog().status().head();
    assertThat(first.await("split", last, BOUND)).as("%s", second.status()).isTrue();
    assertThat(Set.copyOf(seen)).as("each event").hasSize(20);
  }

  private final class BeginsTogether extends Faulty {

    private final CountDownLatch bothBegin;
    private final AtomicBoolean begun = new AtomicBoolean();

    BeginsTogether(CountDownLatch bothBegin) {
      super(memory);
      this.bothBegin = bothBegin;
    }

    @Override
    void saving(Checkpoint checkpoint) {
      if (!begun.getAndSet(true)) {
        bothBegin.countDown();
      }
      SubscriptionsTest.await(bothBegin);
    }
  }

  @Test
  void a_subscription_that_runs_nowhere_can_be_forgotten() {
    Subscriptions runner = runner(memory);
    Registration running = runner.start(Subscription.named("old").handler(event -> {}));
    assertThat(runner.await("old", append(1), BOUND)).isTrue();
    assertThatThrownBy(() -> runner(memory).forget("old")).hasMessageContaining("still runs");
    running.close();
    runner.forget("old");
    runner.forget("old");
    assertThat(runner.await("old", new Position(1), Duration.ofMillis(1))).isFalse();
    assertThat(memory.checkpoints().list("subscription")).isEmpty();
  }

  @Test
  void a_handler_with_times_of_its_own_is_told_how_far_parked_streams_are() {
    AtomicReference<Position> complete = new AtomicReference<>(Position.START);
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .failures(park(1))
            .handlers(
                partition ->
                    new TimedHandler() {
                      private Instant next = Instant.MIN;

                      @Override
                      public void handle(RecordedEvent event) {
                        if (event.stream().equals(STREAM)) {
                          throw new IllegalArgumentException("poison");
                        }
                      }

                      @Override
                      public Instant nextTime() {
                        return next;
                      }

                      @Override
                      public void onTime(Instant now, Position passed, Position soFar) {
                        complete.set(soFar);
                        next = now.plusMillis(10);
                      }
                    }));
    Position first = append(StreamId.of("account", "2"), 1);
    Position poison = append(1);
    Position last = append(StreamId.of("account", "2"), 1);
    assertThat(runner.await("all", last, BOUND)).isTrue();
    until(() -> state(runner) == State.PARKED);
    complete.set(Position.START);
    until(() -> !complete.get().equals(Position.START));
    assertThat(first.isAfter(complete.get())).isFalse();
    assertThat(poison.isAfter(complete.get())).isTrue();
    runner.skip("all", STREAM, "anna", "known bad");
    until(() -> complete.get().equals(last));
  }

  @Test
  void what_fails_at_its_time_is_tried_again_and_holds_up_no_event() {
    AtomicInteger tries = new AtomicInteger();
    Subscriptions runner = runner(memory);
    runner.start(
        Subscription.named("all")
            .handlers(
                partition ->
                    new TimedHandler() {
                      @Override
                      public void handle(RecordedEvent event) {
                        seen.add(event);
                      }

                      @Override
                      public Instant nextTime() {
                        return Instant.MIN;
                      }

                      @Override
                      public void onTime(Instant now, Position passed, Position complete) {
                        tries.incrementAndGet();
                        throw new IllegalStateException("a bug");
                      }
                    }));
    assertThat(runner.await("all", append(1), BOUND)).isTrue();
    until(() -> tries.get() >= 2);
    assertThat(state(runner)).isEqualTo(State.RUNNING);
  }

  private static State state(Subscriptions runner) {
    return runner.status().getFirst().state();
  }

  private static FailurePolicy park(int attempts) {
    return FailurePolicy.PARK.withAttempts(attempts, Duration.ofMillis(1), Duration.ofMillis(1));
  }

  private static List<Long> lags(Subscriptions runner) {
    return runner.status().stream().map(SubscriptionStatus::lagEvents).sorted().toList();
  }

  private Subscriptions runner(Storage storage) {
    Subscriptions runner = Subscriptions.builder(storage).leaseDuration(LEASE).build();
    runners.add(runner);
    return runner;
  }

  private List<Integer> versions() {
    synchronized (seen) {
      return seen.stream().map(event -> (int) event.version()).toList();
    }
  }

  private Position append(int events) {
    return append(STREAM, events);
  }

  private Position append(StreamId stream, int events) {
    return append(stream, events, "{}");
  }

  private static List<NewEvent> events(int count) {
    return events(count, "{}");
  }

  private static List<NewEvent> events(int count, String data) {
    Payload payload = Payload.ofUtf8(data);
    return IntStream.range(0, count)
        .mapToObj(
            i ->
                new NewEvent(
                    EventIds.next(), "deposited", Instant.now(), payload, Payload.EMPTY, List.of()))
        .toList();
  }

  private Position append(StreamId stream, int events, String data) {
    List<NewEvent> all = events(events, data);
    Position last = Position.START;
    for (int from = 0; from < events; from += 1_000) {
      last =
          memory
              .eventStore()
              .append(
                  new Append(
                      stream,
                      ExpectedVersion.any(),
                      all.subList(from, Math.min(events, from + 1_000))))
              .position();
    }
    return last;
  }

  private static StoreUnavailableException outage() {
    return new StoreUnavailableException("away for a moment", new IllegalStateException());
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(30, TimeUnit.SECONDS)).as("a latch was released").isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static void until(BooleanSupplier condition) {
    long end = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("time is up").isLessThan(end);
      Thread.onSpinWait();
    }
  }

  abstract static class Telling implements SubscriptionListener {

    abstract void tell(String what);

    @Override
    public void handled(String subscription, int partition, int events, Duration time) {
      tell("handled");
    }

    @Override
    public void retrying(String subscription, int partition, int attempts, String error) {
      tell("retrying");
    }

    @Override
    public void parked(String subscription, int partition, String error) {
      tell("parked");
    }

    @Override
    public void stopped(String subscription, int partition, String error) {
      tell("stopped");
    }
  }

  /** A storage whose log and leases tell a test what happens, and fail if it says so. */
  abstract static class Faulty implements Storage {

    private final Storage storage;

    Faulty(Storage storage) {
      this.storage = storage;
    }

    void reading(Position after, int limit) {}

    void read(Position after, LogPage page) {}

    LogPage shown(Position after, LogPage page) {
      return page;
    }

    void read(StreamId stream, List<RecordedEvent> page) {}

    void acquiring(String name) {}

    void acquired(Lease lease) {}

    void renewing(Lease lease) {}

    void saving(Checkpoint checkpoint) {}

    @Override
    public GlobalLog globalLog() {
      GlobalLog log = storage.globalLog();
      return new GlobalLog() {
        @Override
        public LogPage read(Position after, EventFilter filter, int limit) {
          reading(after, limit);
          LogPage page = log.read(after, filter, limit);
          Faulty.this.read(after, page);
          return shown(after, page);
        }

        @Override
        public LogStatus status() {
          return log.status();
        }

        @Override
        public long count(Position after, EventFilter filter) {
          return log.count(after, filter);
        }

        @Override
        public Registration onAppend(Runnable hint) {
          return log.onAppend(hint);
        }
      };
    }

    @Override
    public LeaseStore leases() {
      LeaseStore leases = storage.leases();
      return new LeaseStore() {
        @Override
        public Optional<Lease> acquire(String name, String owner, Duration duration) {
          acquiring(name);
          Optional<Lease> lease = leases.acquire(name, owner, duration);
          lease.ifPresent(Faulty.this::acquired);
          return lease;
        }

        @Override
        public Lease renew(Lease lease, Duration duration) {
          renewing(lease);
          return leases.renew(lease, duration);
        }

        @Override
        public void release(Lease lease) {
          leases.release(lease);
        }

        @Override
        public List<Lease> list(String prefix) {
          return leases.list(prefix);
        }
      };
    }

    @Override
    public String describe() {
      return storage.describe();
    }

    @Override
    public EventStore eventStore() {
      EventStore events = storage.eventStore();
      return new EventStore() {
        @Override
        public AppendResult append(Append append) {
          return events.append(append);
        }

        @Override
        public List<RecordedEvent> read(StreamId stream, StreamRange range) {
          List<RecordedEvent> page = events.read(stream, range);
          Faulty.this.read(stream, page);
          return page;
        }

        @Override
        public Optional<StoredEvent> find(UUID eventId) {
          return events.find(eventId);
        }
      };
    }

    @Override
    public Outbox outbox() {
      return storage.outbox();
    }

    @Override
    public CheckpointStore checkpoints() {
      CheckpointStore checkpoints = storage.checkpoints();
      return new CheckpointStore() {
        @Override
        public Optional<Checkpoint> load(String name) {
          return checkpoints.load(name);
        }

        @Override
        public void save(Checkpoint checkpoint) {
          saving(checkpoint);
          checkpoints.save(checkpoint);
        }

        @Override
        public List<Checkpoint> list(String prefix) {
          return checkpoints.list(prefix);
        }

        @Override
        public void delete(String name) {
          checkpoints.delete(name);
        }
      };
    }

    @Override
    public SnapshotStore snapshots() {
      return storage.snapshots();
    }

    @Override
    public void close() {
      storage.close();
    }
  }
}
