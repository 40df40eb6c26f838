package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.Progress;
import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try")
class OutOfStepTest extends KafkaFixture {

  private String awaitError() {
    return awaitStatus(Condition.FAILING).error().orElseThrow();
  }

  private void publishTwo() {
    append("a", "1");
    append("a", "2");
    try (Relay relay = relay().start()) {
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1", "2")));
    }
  }

  @Test
  void aWipedProgressTopicIsNoticed_andNothingIsPublishedUntilSomebodyDecides() {
    publishTwo();
    Position reached = storage.outbox().head();
    deleteTopic(progressTopic());
    append("a", "3");
    try (Relay relay = relay().start()) {
      assertThat(awaitError()).contains("wiped", "lane 0", name, "RelayControl.restart");
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1", "2")));
      control().restart(0, reached, "operator", "consumers have 1 and 2");
      assertThat(topic.byKey(3)).isEqualTo(Map.of("a", List.of("1", "2", "3")));
      awaitStatus(Condition.RUNNING);
    }
    append("a", "4");
    try (Relay relay = relay().start()) {
      // The decision counts once.
      assertThat(topic.byKey(4)).isEqualTo(Map.of("a", List.of("1", "2", "3", "4")));
    }
  }

  private void publishOneAndWipeThreeLanes() {
    append("a", "1");
    try (Relay relay = relay().start()) {
      assertThat(topic.read(1)).hasSize(1);
      relay.changeLanes(3, "operator", "load");
      await("3 lanes", () -> states(Condition.RUNNING) == 3 ? true : null);
    }
    deleteTopic(progressTopic());
  }

  private void restartThreeLanes() {
    for (int lane = 0; lane < 3; lane++) {
      control().restart(lane, storage.outbox().head(), "operator", "consumers have all");
    }
  }

  private void appendToTwentyKeys() {
    for (int i = 0; i < 20; i++) {
      append("k" + i, "x");
    }
  }

  private void assertThatAllIsPublishedInThreeLanes() {
    assertThat(topic.byKey(21)).hasSize(21).allSatisfy((key, all) -> assertThat(all).hasSize(1));
    assertThat(numbersOfLanes()).containsExactly(3, 3, 3);
  }

  @Test
  void aWipedProgressTopicDoesNotChangeTheNumberOfLanes() {
    publishOneAndWipeThreeLanes();
    try (Relay relay = relay().lanes(2).start()) {
      // It may have learned meanwhile, from the checkpoints, that there is a third.
      await("those that it runs fail", () -> states(Condition.FAILING) >= 2 ? true : null);
      restartThreeLanes();
      await("all run", () -> states(Condition.RUNNING) == 3 ? true : null);
      appendToTwentyKeys();
      assertThatAllIsPublishedInThreeLanes();
    }
  }

  /** How many lanes there are, as each of them says. */
  private List<Integer> numbersOfLanes() {
    return storage.checkpoints().list("relay/" + name + "/").stream()
        .map(checkpoint -> LaneReport.of(checkpoint).state().orElseThrow().lanes())
        .toList();
  }

  private long states(Condition condition) {
    return control().status().stream().filter(lane -> lane.condition() == condition).count();
  }

  /** Fails so often where lane 0 would publish, as if Kafka was away for a moment. */
  private MessagePublisher interrupted(int times) {
    AtomicInteger failures = new AtomicInteger(times);
    return new Intercepted(
        publisher,
        (lane, messages) -> {
          if (lane == 0 && failures.getAndDecrement() > 0) {
            throw new BrokerUnavailableException("away for a moment");
          }
        });
  }

  @Test
  void K4_aFirstStartThatFailsHalfWayIsNotTakenForALoss() {
    append("a", "1");
    try (Relay relay = relay(interrupted(2)).start()) {
      assertThat(topic.byKey(1)).isEqualTo(Map.of("a", List.of("1")));
      awaitStatus(Condition.RUNNING);
    }
  }

  @Test
  void K3_aRestartThatFailsHalfWayIsCarriedOutLater() {
    publishTwo();
    Position reached = storage.outbox().head();
    deleteTopic(progressTopic());
    append("a", "3");
    control().restart(0, reached, "operator", "consumers have 1 and 2");
    try (Relay relay =
        Relay.builder(
                name, storage.outbox(), storage.checkpoints(), storage.leases(), interrupted(2))
            .start()) {
      assertThat(topic.byKey(3)).isEqualTo(Map.of("a", List.of("1", "2", "3")));
      awaitStatus(Condition.RUNNING);
    }
  }

  @Test
  void K3_aRestartThatFailsHalfWayKeepsTheNumberOfLanes() {
    publishOneAndWipeThreeLanes();
    restartThreeLanes();
    appendToTwentyKeys();
    try (Relay relay = relay(interrupted(1)).lanes(2).start()) {
      assertThatAllIsPublishedInThreeLanes();
    }
  }

  @Test
  void K3_aRestartThatEndedBeforeItsCheckpointWasReplacedIsNotTakenForALoss() {
    publishTwo();
    try (var lane = publisher.open(name, 0)) {
      LaneState state = LaneState.parse(lane.progress().orElseThrow().state());
      lane.publish(
          List.of(), new Progress(Position.START, state.restarted(Long.MAX_VALUE).format()));
    }
    try (Relay relay = relay().start()) {
      // The anchor is left of what was pruned.
      assertThat(topic.byKey(3).get("a")).startsWith("1", "2").endsWith("2");
      awaitStatus(Condition.RUNNING);
    }
  }

  @Test
  void aProgressBehindTheCheckpointIsNoticed() {
    append("a", "1");
    try (Relay relay = relay().start()) {
      assertThat(topic.read(1)).hasSize(1);
    }
    InMemoryStorage ahead = storage;
    append("a", "2");
    try (Relay relay = relay().start()) {
      assertThat(topic.read(2)).hasSize(2);
    }
    // The progress topic as it was before the second message: wiped, and the first one replayed.
    deleteTopic(progressTopic());
    storage = InMemoryStorage.create();
    append("b", "other");
    try (Relay relay = relay().start()) {
      assertThat(topic.read(3)).hasSize(3);
    }
    storage = ahead;
    append("a", "3");
    try (Relay relay = relay().start()) {
      assertThat(awaitError()).contains("truncated", "checkpoint relay/" + name + "/0");
      assertThat(topic.read(3)).hasSize(3);
    }
  }

  @Test
  void anOutboxThatWasRestoredFromABackupIsNoticed() {
    UUID first = EventIds.next();
    Messages.append(storage, first, DEPOSIT, "a", "1");
    append("a", "2 (after the backup)");
    try (Relay relay = relay().start()) {
      assertThat(topic.read(2)).hasSize(2);
      // Decisions that the backup doesn't have, and the broker knows as carried out.
      ControlLog decisions = new ControlLog(storage.checkpoints(), name);
      decisions.add(aDecision());
      long last = decisions.add(aDecision());
      await("carried out", () -> state().applied() == last ? true : null);
      append("a", "3 (after the backup)");
      assertThat(topic.read(3)).hasSize(3);
    }
    storage = InMemoryStorage.create();
    Messages.append(storage, first, DEPOSIT, "a", "1");
    // One more than there was: a position alone would look as if all was well.
    append("a", "2 (new)");
    append("a", "3 (new)");
    append("a", "4 (new)");
    try (Relay relay = relay().start()) {
      String error = awaitErrorWithoutCheckpoint(relay);
      assertThat(error)
          .contains(
              "restored from a backup", "another service", "named " + name, "RelayControl.restart");
      assertThat(topic.read(3)).hasSize(3);
      control()
          .restart(
              0, storage.outbox().read(Position.START, 1).get(0).position(), "operator", "backup");
      assertThat(topic.byKey(6).get("a"))
          .containsExactly(
              "1", "2 (after the backup)", "3 (after the backup)", "2 (new)", "3 (new)", "4 (new)");
    }
  }

  /** What a pool of connections makes of a failover. */
  private static Outbox switched(AtomicReference<Outbox> now) {
    return new ForwardingOutbox(now::get) {
      @Override
      public int prune(int max) {
        return 0;
      }

      @Override
      public Registration onAppend(Runnable hint) {
        return () -> {};
      }
    };
  }

  @Test
  void aFailoverThatLosesTheLastCommitsIsNoticedByALaneThatIsAtWork() {
    InMemoryStorage replica = InMemoryStorage.create();
    UUID first = EventIds.next();
    for (InMemoryStorage each : List.of(storage, replica)) {
      Messages.append(each, first, DEPOSIT, "a", "1");
    }
    append("a", "2 (lost in the failover)");
    AtomicReference<Outbox> now = new AtomicReference<>(storage.outbox());
    try (Relay relay =
        Relay.builder(name, switched(now), storage.checkpoints(), storage.leases(), publisher)
            .start()) {
      assertThat(topic.read(2)).hasSize(2);
      // In the place of what was lost there are others, and more behind them.
      Messages.append(replica, DEPOSIT, "a", "2 (new)");
      Messages.append(replica, DEPOSIT, "a", "3 (new)");
      now.set(replica.outbox());
      assertThat(awaitError()).contains("RelayControl.restart", "failed over");
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1", "2 (lost in the failover)")));
    }
  }

  @Test
  void anOutboxThatIsEmptiedUnderAnIdleLaneIsNoticed() {
    append("a", "1");
    Position reached = storage.outbox().head();
    String checkpoint = "relay/" + name + "/0";
    try (Relay relay = relay().start()) {
      // From then on it is idle, and saves nothing more: it can only notice by looking.
      await(
          "all is published",
          () ->
              control().status().stream().anyMatch(lane -> lane.position().equals(reached))
                  ? true
                  : null);
      // Somebody has the last message removed as well, by which the lane knows the outbox.
      storage.checkpoints().delete(checkpoint);
      storage.checkpoints().save(Checkpoint.first(checkpoint, reached, Payload.EMPTY, 0));
      storage.outbox().prune(1);
      assertThat(awaitError()).contains("the outbox has nothing there", "RelayControl.restart");
    }
  }

  private static ControlLog.Command aDecision() {
    return new ControlLog.Command(
        0,
        Instant.now(),
        "operator",
        "a test",
        ControlLog.Action.SKIP,
        EventIds.next(),
        "",
        "",
        -1,
        Position.START);
  }

  private LaneState state() {
    return storage
        .checkpoints()
        .load("relay/" + name + "/0")
        .flatMap(checkpoint -> LaneReport.of(checkpoint).state())
        .orElseThrow();
  }

  private String awaitErrorWithoutCheckpoint(Relay relay) {
    return await(
        "an error",
        () -> relay.status().stream().flatMap(s -> s.error().stream()).findFirst().orElse(null));
  }

  @Test
  void aBatchSizeThatIsGivenAsTextIsTaken() {
    try (KafkaMessagePublisher text = publisher().client("batch.size", "16384").build()) {
      text.open(name, 0).close();
    }
  }

  @Test
  void aProgressTopicThatForgetsIsRefused() {
    createTopic(progressTopic(), 1, Map.of("cleanup.policy", "delete"));
    append("a", "1");
    try (KafkaMessagePublisher fresh = publisher().build()) {
      assertThatThrownBy(() -> fresh.open(name, 0))
          .isInstanceOf(BrokerUnavailableException.class)
          .hasMessageContaining("cleanup.policy=delete")
          .hasMessageContaining(progressTopic());
    }
  }

  @Test
  void aTopicThatForgetsAllButTheLastMessageOfAKeyIsRefused() {
    setTopic(name, "cleanup.policy", "compact,delete");
    assertThatThrownBy(publisher::verify)
        .isInstanceOf(BrokerUnavailableException.class)
        .hasMessageContaining("Kafka topic " + name + " has cleanup.policy=compact,delete")
        .hasMessageContaining("--add-config cleanup.policy=delete");
    setTopic(name, "cleanup.policy", "delete");
    publisher.verify();
  }

  @Test
  void aTopicThatWasMadeForAConsumer_andNeverWrittenTo_getsItsPartitions() {
    String made = name + "-made";
    createTopic(made, 1, Map.of());
    try (KafkaMessagePublisher publisher =
        KafkaMessagePublisher.builder(
                bootstrap, SOURCE, PublishedLanguage.builder().topic(made, 3, DEPOSIT).build())
            .build()) {
      publisher.verify();
    }
    assertThat(partitions(made)).isEqualTo(3);
  }

  @Test
  void aTopicWithTooFewPartitionsIsRefused() {
    publishTwo();
    try (KafkaMessagePublisher more =
        KafkaMessagePublisher.builder(
                bootstrap, SOURCE, PublishedLanguage.builder().topic(name, 12, DEPOSIT).build())
            .build()) {
      assertThatThrownBy(more::verify)
          .isInstanceOf(BrokerUnavailableException.class)
          .hasMessageContaining(name + " has 3 partition(s)")
          .hasMessageContaining("12");
    }
    assertThat(partitions(name)).isEqualTo(3);
  }

  @Test
  void anUnwrittenTopicWithTooFewPartitionsIsRefusedWhereNoneIsCreated() {
    String made = name + "-made";
    createTopic(made, 1, Map.of());
    try (KafkaMessagePublisher strict =
        KafkaMessagePublisher.builder(
                bootstrap, SOURCE, PublishedLanguage.builder().topic(made, 3, DEPOSIT).build())
            .createTopics(false)
            .build()) {
      assertThatThrownBy(strict::verify).hasMessageContaining(made + " has 1 partition(s)");
    }
    assertThat(partitions(made)).isEqualTo(1);
  }

  @Test
  void aMissingTopicIsNamedWhereNoneIsCreated() {
    try (KafkaMessagePublisher strict =
        KafkaMessagePublisher.builder(
                bootstrap,
                SOURCE,
                PublishedLanguage.builder().topic(name + "-missing", 2, DEPOSIT).build())
            .createTopics(false)
            .build()) {
      assertThatThrownBy(strict::verify)
          .isInstanceOf(BrokerUnavailableException.class)
          .hasMessageContaining(name + "-missing is missing: create it with 2 partition(s)");
    }
  }

  @Test
  void anUnreachableBrokerIsOneClearMessage() {
    try (KafkaMessagePublisher away = cutOff()) {
      assertThatThrownBy(away::verify)
          .isInstanceOf(BrokerUnavailableException.class)
          .hasMessageContaining("localhost:1");
    }
  }

  @Test
  void K2_aKeyStaysInItsPartitionWhenSomebodyAddsPartitions() throws Exception {
    publishTwo();
    admin
        .createPartitions(Map.of(name, org.apache.kafka.clients.admin.NewPartitions.increaseTo(9)))
        .all()
        .get();
    append("a", "3");
    try (Relay relay = relay().start()) {
      assertThat(topic.read(3).stream().map(record -> record.partition()).distinct()).hasSize(1);
    }
  }
}
