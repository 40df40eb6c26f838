package dev.sluice.adapter.inmemory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.SubscriptionListener;
import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.core.subscription.SubscriptionStatus.State;
import dev.sluice.core.subscription.Subscriptions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What the subscriptions of the core do when their store, their handlers or listeners misbehave.
 */
@Timeout(60)
class SubscriptionsTest {

  private static final Duration BOUND = Duration.ofSeconds(30);
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
            if (!page.more() && !page.events().isEmpty() && page.events().size() < RARE) {
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
    until(() -> lags(runner).equals(List.of(0L, (long) wanted)));
    assertThat(runner.status())
        .extracting(SubscriptionStatus::state)
        .containsExactlyInAnyOrder(State.RUNNING, State.CATCHING_UP);
    goOn.countDown();
    until(() -> lags(runner).equals(List.of(0L, 0L)));
  }

  private static List<Long> lags(Subscriptions runner) {
    return runner.status().stream().map(SubscriptionStatus::lagEvents).sorted().toList();
  }

  private Subscriptions runner(Storage storage) {
    Subscriptions runner =
        Subscriptions.builder(storage).leaseDuration(Duration.ofMillis(400)).build();
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
    List<NewEvent> all =
        IntStream.range(0, events)
            .mapToObj(
                i ->
                    new NewEvent(
                        EventIds.next(),
                        "deposited",
                        Instant.now(),
                        Payload.ofUtf8("{}"),
                        Payload.EMPTY,
                        List.of()))
            .toList();
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

    void read(Position after, LogPage page) {}

    void acquiring(String name) {}

    void acquired(Lease lease) {}

    void renewing(Lease lease) {}

    @Override
    public GlobalLog globalLog() {
      GlobalLog log = storage.globalLog();
      return new GlobalLog() {
        @Override
        public LogPage read(Position after, EventFilter filter, int limit) {
          LogPage page = log.read(after, filter, limit);
          Faulty.this.read(after, page);
          return page;
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
      return storage.eventStore();
    }

    @Override
    public Outbox outbox() {
      return storage.outbox();
    }

    @Override
    public CheckpointStore checkpoints() {
      return storage.checkpoints();
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
