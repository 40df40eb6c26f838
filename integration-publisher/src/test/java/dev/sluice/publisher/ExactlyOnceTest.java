package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.publisher.PublisherProcess.Mode;
import dev.sluice.testservers.OwnedKafka;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import io.cloudevents.CloudEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Publishers in JVMs of their own, a broker in its own process, PostgreSQL; all of them hurt while
 * messages flow. Each message carries its number within its key, so what a consumer finds can be
 * judged without asking the store.
 */
@Timeout(900)
@SuppressWarnings("try")
class ExactlyOnceTest {
  private static final int KEYS = 100;

  /** How many publishers are killed; 50 and more with this property. */
  private static final int KILLS = Integer.getInteger("sluice.test.publisher.kills", 10);

  /** How many messages come meanwhile, at least. */
  private static final int MESSAGES_PER_KILL = 400;

  private static final int NEVER = Integer.MAX_VALUE;

  private static final OwnedKafka kafka = OwnedKafka.start();

  private final Random random = new Random(20_261_123);
  private final Random appends = new Random(20_261_124);
  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private final HikariDataSource pool = PublisherProcess.pool(database, 3);
  private final JdbcStorage storage = JdbcStorage.create(pool);
  private final String name = "x" + UUID.randomUUID().toString().substring(0, 8);
  private final Topic topic = new Topic(kafka.bootstrap(), name);
  private final int[] appended = new int[KEYS];
  private final AtomicInteger total = new AtomicInteger();
  private final List<PublisherProcess> running = new ArrayList<>();

  @AfterAll
  static void stopBroker() {
    kafka.close();
  }

  @AfterEach
  void stopPublishers() {
    running.forEach(PublisherProcess::close);
    storage.close();
    pool.close();
  }

  private PublisherProcess start(Mode mode, int lanes) {
    PublisherProcess started =
        PublisherProcess.start(mode, database, kafka.bootstrapThroughProxy(), name, lanes);
    running.add(started);
    return started;
  }

  /** Appends a few messages to random keys. */
  private void append(int messages) {
    for (int left = messages; left > 0; ) {
      int key = appends.nextInt(KEYS);
      int count = Math.min(left, 1 + appends.nextInt(5));
      List<NewEvent> events = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        String number = Integer.toString(appended[key]++);
        events.add(Messages.event(EventIds.next(), PublisherProcess.TYPE, "k" + key, number));
      }
      storage
          .eventStore()
          .append(new Append(new StreamId("account", "k" + key), ExpectedVersion.any(), events));
      left -= count;
      total.addAndGet(count);
    }
  }

  /** Messages that come all the time, by a thread of their own: whatever is hurt has work. */
  private final class Flow implements AutoCloseable {
    private volatile boolean over;
    private final CompletableFuture<Void> done = CompletableFuture.runAsync(this::flow);

    private void flow() {
      while (!over) {
        append(20);
        pause(40);
      }
    }

    @Override
    public void close() {
      over = true;
      done.join();
    }
  }

  private static void pause(int millis) {
    LockSupport.parkNanos(Duration.ofMillis(millis).toNanos());
  }

  private RelayControl control() {
    return new RelayControl(name, storage.outbox(), storage.checkpoints(), storage.leases());
  }

  /**
   * Looks until something is there. A change of the number of lanes that was killed in the middle
   * keeps lanes closed until somebody asks for a change again.
   */
  private <T> T await(String what, Supplier<Optional<T>> look) {
    long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
    for (int looks = 1; System.nanoTime() < deadline; looks++) {
      Optional<T> found = look.get();
      if (found.isPresent()) {
        return found.get();
      }
      if (looks % 200 == 0) {
        running.get(random.nextInt(running.size())).changeLanes(2);
      }
      pause(50);
    }
    throw new AssertionError("not within 120 s: " + what + "; " + control().status());
  }

  private Map<Integer, Position> reached() {
    Map<Integer, Position> all = new HashMap<>();
    control().status().forEach(status -> all.put(status.lane(), status.position()));
    return all;
  }

  /** Until every lane has moved on since the call. */
  private void awaitPublishing() {
    Map<Integer, Position> before = reached();
    await(
        "publishing",
        () -> {
          Map<Integer, Position> now = reached();
          return !now.isEmpty()
                  && now.entrySet().stream()
                      .allMatch(
                          lane ->
                              lane.getValue()
                                  .isAfter(before.getOrDefault(lane.getKey(), Position.START)))
              ? Optional.of(now)
              : Optional.empty();
        });
  }

  private PublisherProcess anOwner() {
    return await(
        "an owner",
        () -> {
          Set<String> owners =
              storage.leases().list("relay/" + name + "/").stream()
                  .map(Lease::owner)
                  .collect(Collectors.toSet());
          List<PublisherProcess> candidates =
              running.stream().filter(process -> owners.contains(process.owner())).toList();
          return candidates.isEmpty()
              ? Optional.empty()
              : Optional.of(candidates.get(random.nextInt(candidates.size())));
        });
  }

  /**
   * Kills owners at random moments, or stops them for longer than their lease and lets them go on.
   *
   * @param pauseEvery which rounds stop, not kill
   * @param changeEvery in which rounds the number of lanes is being changed meanwhile
   * @return how many were killed
   */
  private int hurt(Mode mode, int rounds, int pauseEvery, int changeEvery) {
    int kills = 0;
    for (int round = 1; round <= rounds; round++) {
      PublisherProcess victim = anOwner();
      pause(random.nextInt(300));
      if (round % changeEvery == 0) {
        victim.changeLanes(1 + random.nextInt(4));
        pause(random.nextInt(1_500));
      }
      if (round % pauseEvery == 0) {
        victim.signal("STOP");
        pause(2_500);
        victim.signal("CONT");
      } else {
        victim.kill();
        running.remove(victim);
        start(mode, 2);
        kills++;
      }
    }
    return kills;
  }

  /** What is wrong with what consumers get; empty if every message is there once and in order. */
  private List<String> violations() {
    List<String> wrong = new ArrayList<>();
    Map<String, Integer> next = new HashMap<>();
    Map<String, Integer> partitions = new HashMap<>();
    Set<String> ids = new HashSet<>();
    for (ConsumerRecord<String, CloudEvent> record : topic.read(total.get())) {
      if (partitions.computeIfAbsent(record.key(), k -> record.partition()) != record.partition()) {
        wrong.add("moved: " + record.key() + " to partition " + record.partition());
      }
      if (!ids.add(record.value().getId())) {
        wrong.add("twice: " + record.key() + " " + Topic.data(record.value()));
        continue;
      }
      int number = Integer.parseInt(Topic.data(record.value()));
      int expected = next.getOrDefault(record.key(), 0);
      if (number != expected) {
        wrong.add("order: " + record.key() + " has " + number + " instead of " + expected);
      }
      next.put(record.key(), number + 1);
    }
    if (ids.size() != total.get()) {
      wrong.add("missing: " + (total.get() - ids.size()));
    }
    return wrong;
  }

  @Test
  void K2_K3_K4_eachMessageOnceAndInOrder_whateverIsKilledWhen() {
    try (Flow flow = new Flow()) {
      for (int i = 0; i < 3; i++) {
        start(Mode.TRANSACTIONS, 2);
      }
      awaitPublishing();
      int before = total.get();
      int kills = hurt(Mode.TRANSACTIONS, KILLS + KILLS / 3, 4, 6);
      while (total.get() - before < kills * MESSAGES_PER_KILL) {
        kills += hurt(Mode.TRANSACTIONS, 1, NEVER, NEVER);
      }
      System.out.printf(
          "%d publishers killed while %d messages came%n", kills, total.get() - before);
      assertThat(kills).isGreaterThanOrEqualTo(KILLS);
      awaitPublishing();
      running.remove(0).leave();
      start(Mode.TRANSACTIONS, 2);
      hurtTheNetwork();
      for (int kill = 0; kill < 2; kill++) {
        kafka.kill();
        // Appends go on while Kafka is away.
        pause(1_000);
        kafka.restart();
        awaitPublishing();
      }
    }
    assertThat(violations()).isEmpty();
  }

  private void hurtTheNetwork() {
    for (int cut = 0; cut < 10; cut++) {
      kafka.proxy().cut();
      pause(random.nextInt(200));
    }
    // Commits that are done, and nobody learns of it.
    for (int loss = 0; loss < 3; loss++) {
      kafka.proxy().loseReplies();
      pause(200 + random.nextInt(200));
      kafka.proxy().heal();
      pause(random.nextInt(500));
    }
    // Longer than a producer goes on trying.
    kafka.proxy().stall();
    pause(8_000);
    kafka.proxy().heal();
    awaitPublishing();
    kafka.proxy().refuse();
    pause(2_000);
    kafka.proxy().heal();
    awaitPublishing();
  }

  /** The same while two publishers run in a mode. */
  private List<String> violationsOf(Mode mode, int rounds, int pauseEvery) {
    try (Flow flow = new Flow()) {
      start(mode, 2);
      start(mode, 2);
      awaitPublishing();
      hurt(mode, rounds, pauseEvery, NEVER);
      awaitPublishing();
    }
    return violations();
  }

  @Test
  void K2_atLeastOnce_nothingIsLostAndKeysKeepTheirOrder() {
    // Only repetitions are allowed; a message counts where it is found first.
    assertThat(violationsOf(Mode.AT_LEAST_ONCE, 4, NEVER))
        .allMatch(violation -> violation.startsWith("twice"));
  }

  @Test
  void withoutTransactionsTheSameCheckFindsRepetitions() {
    assertThat(violationsOf(Mode.TORN, 4, NEVER))
        .anyMatch(violation -> violation.startsWith("twice"));
  }

  @Test
  void withoutFencingTheSameCheckFindsWhatZombiesDo() {
    assertThat(violationsOf(Mode.SLOW_UNFENCED, 3, 1))
        .anyMatch(violation -> violation.startsWith("twice"));
  }

  /**
   * One owner is stopped in the middle of its work, longer than its lease, and goes on when its
   * successor has published the same. What is looked at was read after the end of its work.
   */
  private List<String> violationsByAZombie(Mode mode) {
    PublisherProcess zombie = start(mode, 1);
    append(100);
    zombie.awaitMoment();
    zombie.signal("STOP");
    PublisherProcess successor = start(mode, 1);
    for (int batches = 0; batches < 2; batches++) {
      successor.awaitMoment();
    }
    zombie.signal("CONT");
    zombie.awaitOutcome();
    // Both go on as they should afterwards.
    append(100);
    return violations();
  }

  @Test
  void withoutFencingTheSameCheckFindsWhatOneZombieDoes() {
    assertThat(violationsByAZombie(Mode.SLOW_UNFENCED))
        .anyMatch(violation -> violation.startsWith("twice"));
  }

  @Test
  void K6_aZombieThatWasAboutToSendPublishesNothing() {
    assertThat(violationsByAZombie(Mode.SLOW)).isEmpty();
  }

  @Test
  void K6_aZombieThatWasAboutToCommitPublishesNothing() {
    assertThat(violationsByAZombie(Mode.SLOW_COMMIT)).isEmpty();
  }
}
