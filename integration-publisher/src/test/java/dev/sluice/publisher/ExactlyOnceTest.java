package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
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
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;
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
@Timeout(600)
class ExactlyOnceTest {
  private static final int KEYS = 100;
  private static final int KILLS = 50;

  /**
   * On a slow machine fewer than 50 kills must do. A longer time with this property, in seconds.
   */
  private static final Duration KILLING =
      Duration.ofSeconds(Integer.getInteger("sluice.test.publisher.seconds", 60));

  private static final OwnedKafka kafka = OwnedKafka.start();

  private final Random random = new Random(20_261_123);
  private final PostgresDatabase database = PostgresServer.shared().newDatabase();
  private final HikariDataSource pool = PublisherProcess.pool(database, 3);
  private final JdbcStorage storage = JdbcStorage.create(pool);
  private final String name = "x" + UUID.randomUUID().toString().substring(0, 8);
  private final Topic topic = new Topic(kafka.bootstrap(), name);
  private final int[] appended = new int[KEYS];
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
    return start(mode, lanes, kafka.bootstrap());
  }

  private PublisherProcess start(Mode mode, int lanes, String bootstrap) {
    PublisherProcess started = PublisherProcess.start(mode, database, bootstrap, name, lanes);
    running.add(started);
    return started;
  }

  /** Appends a few messages to random keys. */
  private void append(int messages) {
    for (int left = messages; left > 0; ) {
      int key = random.nextInt(KEYS);
      int count = Math.min(left, 1 + random.nextInt(Math.max(5, messages / 100)));
      List<NewEvent> events = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        String number = Integer.toString(appended[key]++);
        events.add(Messages.event(EventIds.next(), PublisherProcess.TYPE, "k" + key, number));
      }
      storage
          .eventStore()
          .append(new Append(new StreamId("account", "k" + key), ExpectedVersion.any(), events));
      left -= count;
    }
  }

  private int total() {
    return Arrays.stream(appended).sum();
  }

  private RelayControl control() {
    return new RelayControl(name, storage.outbox(), storage.checkpoints(), storage.leases());
  }

  /** Keeps messages coming until the lanes have moved on since the call. */
  private void flowUntil(String what, IntPredicate done) {
    long deadline = System.nanoTime() + Duration.ofSeconds(90).toNanos();
    for (int round = 0; !done.test(round); round++) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("not within 90 s: " + what + "; " + control().status());
      }
      append(20);
      LockSupport.parkNanos(20_000_000);
    }
  }

  private Map<Integer, Position> reached() {
    Map<Integer, Position> all = new HashMap<>();
    control().status().forEach(status -> all.put(status.lane(), status.position()));
    return all;
  }

  /** Until every lane has moved on since the call. */
  private void flowUntilPublishing() {
    Map<Integer, Position> before = reached();
    flowUntil(
        "publishing",
        round -> {
          Map<Integer, Position> now = reached();
          return !now.isEmpty()
              && now.entrySet().stream()
                  .allMatch(
                      lane ->
                          lane.getValue()
                              .isAfter(before.getOrDefault(lane.getKey(), Position.START)));
        });
  }

  private PublisherProcess anOwner() {
    Set<String> owners = new HashSet<>();
    control().status().forEach(status -> status.owner().ifPresent(owners::add));
    List<PublisherProcess> candidates =
        running.stream().filter(process -> owners.contains(process.owner())).toList();
    return candidates.isEmpty()
        ? running.get(0)
        : candidates.get(random.nextInt(candidates.size()));
  }

  /** What is wrong with what consumers get; empty if every message is there once and in order. */
  private List<String> violations() {
    List<String> wrong = new ArrayList<>();
    Map<String, Integer> next = new HashMap<>();
    Set<String> ids = new HashSet<>();
    for (ConsumerRecord<String, CloudEvent> record : topic.read(total())) {
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
    if (ids.size() != total()) {
      wrong.add("missing: " + (total() - ids.size()));
    }
    return wrong;
  }

  @Test
  void K2_K3_K4_eachMessageOnceAndInOrder_whateverIsKilledWhen() {
    append(200);
    PublisherProcess first = start(Mode.TRANSACTIONS, 2, kafka.bootstrapThroughProxy());
    flowUntilPublishing();
    running.remove(first);
    first.leave();
    // Everything is in place before the first kill; from here on messages never cease.
    for (int i = 0; i < 3; i++) {
      start(Mode.TRANSACTIONS, 2, kafka.bootstrapThroughProxy());
    }
    flowUntilPublishing();

    int kills = 0;
    long enough = System.nanoTime() + KILLING.toNanos();
    while (kills < KILLS && (kills < 10 || System.nanoTime() < enough)) {
      kills++;
      PublisherProcess victim = anOwner();
      victim.kill();
      running.remove(victim);
      start(Mode.TRANSACTIONS, 2, kafka.bootstrapThroughProxy());
      flowUntilPublishing();
      append(random.nextInt(50));
      LockSupport.parkNanos(random.nextInt(100_000_000));
    }
    System.out.println("publishers killed: " + kills);
    // Owners leave in order, and lanes move to those who have too few.
    for (int i = 0; i < 3; i++) {
      running.remove(0).leave();
      start(Mode.TRANSACTIONS, 2, kafka.bootstrapThroughProxy());
      flowUntilPublishing();
    }
    for (int cut = 0; cut < 20; cut++) {
      append(50);
      kafka.proxy().cut();
      LockSupport.parkNanos(random.nextInt(100_000_000));
    }
    kafka.proxy().stall();
    append(500);
    LockSupport.parkNanos(Duration.ofSeconds(3).toNanos());
    kafka.proxy().heal();
    flowUntilPublishing();
    kafka.proxy().refuse();
    append(500);
    LockSupport.parkNanos(Duration.ofSeconds(2).toNanos());
    kafka.proxy().heal();
    flowUntilPublishing();

    for (int kill = 0; kill < 2; kill++) {
      append(200);
      kafka.kill();
      // Appends go on while Kafka is away.
      append(500);
      kafka.restart();
      flowUntilPublishing();
    }
    append(Math.max(0, 20_000 - total()));
    assertThat(violations()).isEmpty();
    assertThat(total()).isGreaterThanOrEqualTo(20_000);
  }

  @Test
  void K2_atLeastOnce_nothingIsLostAndKeysKeepTheirOrder() {
    start(Mode.AT_LEAST_ONCE, 1);
    for (int kill = 0; kill < 5; kill++) {
      flowUntilPublishing();
      append(200);
      running.remove(0).kill();
      start(Mode.AT_LEAST_ONCE, 1);
    }
    flowUntilPublishing();
    // Only repetitions are allowed; a message counts where it is found first.
    assertThat(violations()).allMatch(violation -> violation.startsWith("twice"));
  }

  @Test
  void withoutTransactionsTheSameCheckFindsRepetitions() {
    PublisherProcess victim = start(Mode.TORN, 1);
    append(100);
    victim.awaitAboutToPublish();
    victim.kill();
    running.remove(victim);
    start(Mode.TORN, 1);
    assertThat(violations()).anyMatch(violation -> violation.startsWith("twice"));
  }

  /** One owner is stopped right before it publishes, longer than its lease, and then goes on. */
  private List<String> violationsByAZombie(Mode mode) {
    PublisherProcess zombie = start(mode, 1);
    append(100);
    zombie.awaitAboutToPublish();
    zombie.signal("STOP");
    PublisherProcess successor = start(mode, 1);
    for (int batches = 0; batches < 2; batches++) {
      successor.awaitAboutToPublish();
    }
    zombie.signal("CONT");
    append(100);
    List<String> violations = violations();
    // Both go on as they should afterwards.
    append(10);
    assertThat(topic.read(total())).hasSizeGreaterThanOrEqualTo(total());
    return violations;
  }

  @Test
  void K6_aZombiePublishesNothing() {
    assertThat(violationsByAZombie(Mode.SLOW)).isEmpty();
  }

  @Test
  void withoutFencingTheSameCheckFindsWhatAZombieDoes() {
    assertThat(violationsByAZombie(Mode.SLOW_UNFENCED)).isNotEmpty();
  }
}
