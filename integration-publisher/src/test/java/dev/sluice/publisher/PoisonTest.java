package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try")
class PoisonTest extends KafkaFixture {
  private static final String LARGE = "x".repeat(20_000);

  private void limit(int bytes) {
    setTopic(name, "max.message.bytes", "" + bytes);
  }

  @Test
  void K5_aReplacementOfATypeThatIsNotPublishedLeavesTheMessageRefused() {
    UUID poison = appendRefused("a");
    append("b", "1");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      awaitParked();
      control().replace(poison, "bank.depost", "{}", "operator", "a typo");
      await(
          "refused",
          () ->
              awaitParked().parked().get(0).first().reason().contains("bank.depost") ? true : null);
      append("b", "2");
      assertThat(topic.byKey(2)).isEqualTo(Map.of("b", List.of("1", "2")));
      control().skip(poison, "operator", "test data");
      awaitNothingParked();
    }
  }

  @Test
  void K5_aRefusedMessageStopsTheLane_andResumesWhenTheLimitIsRaised() {
    limit(10_000);
    append("a", "1");
    UUID poison = append("a", LARGE);
    append("b", "3");
    try (Relay relay = relay().start()) {
      LaneStatus stopped = awaitStatus(Condition.STOPPED);
      RefusedMessage by = stopped.stoppedBy().orElseThrow();
      assertThat(by.id()).isEqualTo(poison);
      assertThat(by.attempts()).isEqualTo(3);
      assertThat(by.reason()).contains("max.message.bytes", name, "10000", poison.toString());
      assertThat(stopped.backlog()).isEqualTo(2);
      assertThat(topic.byKey(1)).isEqualTo(Map.of("a", List.of("1")));
    }
    limit(100_000);
    // Stopped stays stopped: a restart alone decides nothing.
    try (Relay relay = relay().start()) {
      awaitStatus(Condition.STOPPED);
      control().resume(poison, "operator", "limit raised");
      assertThat(topic.byKey(3)).isEqualTo(Map.of("a", List.of("1", LARGE), "b", List.of("3")));
      assertThat(control().decisions().get(0)).contains("operator", "limit raised", "RESUME");
      assertThat(awaitStatus(Condition.RUNNING).stoppedBy()).isEmpty();
    }
  }

  @Test
  void K5_aStoppedLaneSkipsTheMessage() {
    limit(10_000);
    UUID poison = append("a", LARGE);
    append("a", "2");
    try (Relay relay = relay().start()) {
      awaitStatus(Condition.STOPPED);
      control().skip(poison, "operator", "nobody needs it");
      assertThat(topic.byKey(1)).isEqualTo(Map.of("a", List.of("2")));
    }
  }

  @Test
  void K2_K5_aParkedKeyKeepsItsOrder_whileOthersGoOn_acrossARestart() {
    limit(10_000);
    append("a", "1");
    UUID poison = append("a", LARGE);
    append("b", "3");
    append("a", "4");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1"), "b", List.of("3")));
    }
    append("a", "5");
    append("b", "6");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      assertThat(topic.byKey(3)).isEqualTo(Map.of("a", List.of("1"), "b", List.of("3", "6")));
      LaneStatus status =
          await(
              "three withheld",
              () -> {
                LaneStatus now = awaitStatus(Condition.RUNNING);
                return now.parked().get(0).withheld() == 3 ? now : null;
              });
      assertThat(status.parked().get(0).first().id()).isEqualTo(poison);
      // Pruning leaves what is parked, however far the lane has come.
      storage.outbox().prune(100);
      control().resume(poison, "operator", "try again");
      await(
          "tried again",
          () ->
              awaitStatus(Condition.RUNNING)
                      .parked()
                      .get(0)
                      .first()
                      .since()
                      .isAfter(status.parked().get(0).first().since())
                  ? true
                  : null);
      limit(100_000);
      control().resume(poison, "operator", "limit raised");
      assertThat(topic.byKey(6))
          .isEqualTo(Map.of("a", List.of("1", LARGE, "4", "5"), "b", List.of("3", "6")));
      assertThat(awaitNothingParked().parked()).isEmpty();
      append("a", "7");
      assertThat(topic.byKey(7).get("a")).containsExactly("1", LARGE, "4", "5", "7");
    }
  }

  private LaneStatus awaitNothingParked() {
    return await(
        "nothing parked",
        () -> {
          LaneStatus now = awaitStatus(Condition.RUNNING);
          return now.parked().isEmpty() ? now : null;
        });
  }

  @Test
  void K5_aParkedMessageIsReplaced_andTheRestOfItsKeyFollows() {
    UUID poison = appendRefused("a");
    append("a", "2");
    append("b", "3");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      assertThat(topic.byKey(1)).isEqualTo(Map.of("b", List.of("3")));
      LaneStatus status = awaitParked();
      assertThat(status.parked().get(0).first().reason()).contains("max.message.bytes", name);
      control().replace(poison, DEPOSIT, "{\"instead\":1}", "operator", "wrong type");
      assertThat(topic.byKey(3))
          .isEqualTo(Map.of("a", List.of("{\"instead\":1}", "2"), "b", List.of("3")));
    }
  }

  @Test
  void K2_K5_whatIsResumedIsLeftToWhoPublishesItsTypes() {
    UUID poison = appendRefused("a");
    Messages.append(storage, NEW_TYPE, "a", "2");
    append("a", "3");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      awaitParked();
      limit(100_000);
      control().resume(poison, "operator", "limit raised");
      assertThat(topic.byKey(1)).isEqualTo(Map.of("a", List.of(LARGE)));
      assertThat(awaitStatus(Condition.FAILING).error().orElseThrow()).contains(NEW_TYPE);
    }
    try (KafkaMessagePublisher newer = newer();
        Relay relay = relay(newer).poison(PoisonPolicy.PARK_KEY).start()) {
      assertThat(topic.byKey(3)).isEqualTo(Map.of("a", List.of(LARGE, "2", "3")));
      awaitNothingParked();
    }
  }

  private LaneStatus awaitParked() {
    return await(
        "parked",
        () -> {
          List<LaneStatus> all = control().status();
          return all.isEmpty() || all.get(0).parked().isEmpty() ? null : all.get(0);
        });
  }

  /** Parks a message and leaves; what is decided next is read in one go. */
  private UUID parkAndLeave() {
    limit(10_000);
    UUID poison = append("a", LARGE);
    append("a", "2");
    append("b", "3");
    append("b", "4");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      awaitParked();
      assertThat(topic.byKey(2)).isEqualTo(Map.of("b", List.of("3", "4")));
    }
    return poison;
  }

  @Test
  void K5_whoDecidesSecondAboutAParkedMessageChangesNothing() {
    UUID poison = parkAndLeave();
    control().skip(poison, "ada", "test data");
    control().skip(poison, "bob", "test data, too");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      assertThat(topic.byKey(3)).isEqualTo(Map.of("a", List.of("2"), "b", List.of("3", "4")));
      awaitNothingParked();
    }
  }

  @Test
  void K5_whatIsBeingResumedIsNotSkipped() {
    UUID poison = parkAndLeave();
    limit(100_000);
    control().resume(poison, "ada", "limit raised");
    control().skip(poison, "bob", "is it still parked?");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      assertThat(topic.byKey(4))
          .isEqualTo(Map.of("a", List.of(LARGE, "2"), "b", List.of("3", "4")));
      awaitNothingParked();
    }
  }

  @Test
  void K5_aDecisionAboutAMessageThatIsGoneSaysSo_andIsNotTriedForEver() {
    UUID poison = parkAndLeave();
    control().skip(poison, "ada", "test data");
    // Somebody has all removed but the last message, by which the lane knows the outbox.
    String checkpoint = "relay/" + name + "/0";
    Position third = storage.outbox().read(Position.START, 3).get(2).position();
    storage.checkpoints().delete(checkpoint);
    storage.checkpoints().save(Checkpoint.first(checkpoint, third, Payload.EMPTY, 0));
    storage.outbox().prune(3);
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      await(
          "said",
          () ->
              awaitParked().parked().get(0).first().reason().contains("no longer in the outbox")
                  ? true
                  : null);
      control().resume(poison, "ada", "what is left of the key");
      awaitNothingParked();
    }
  }

  @Test
  void K5_tooManyParkedKeysStopTheLane() {
    for (String key : List.of("a", "b", "c")) {
      appendRefused(key);
    }
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).maxParkedKeys(2).start()) {
      LaneStatus stopped = awaitStatus(Condition.STOPPED);
      assertThat(stopped.parked()).hasSize(2);
      assertThat(stopped.stoppedBy().orElseThrow().key()).isEqualTo("c");
    }
  }

  @Test
  void K5_attemptsAreCountedAcrossRestarts() {
    appendRefused("a");
    int before;
    try (Relay relay = relay().maxAttempts(1_000).start()) {
      before = await("two attempts", () -> attempts() >= 2 ? attempts() : null);
    }
    before = attempts();
    try (Relay relay = relay().maxAttempts(before + 1).start()) {
      assertThat(awaitStatus(Condition.STOPPED).stoppedBy().orElseThrow().attempts())
          .isEqualTo(before + 1);
    }
  }

  private int attempts() {
    return storage
        .checkpoints()
        .load("relay/" + name + "/0")
        .flatMap(checkpoint -> LaneReport.of(checkpoint).state())
        .map(LaneState::attempt)
        .map(LaneState.Attempt::count)
        .orElse(0);
  }

  @Test
  void K2_K5_withoutTransactionsNothingOvertakesWhatOnlyTheBrokerCouldRefuse() {
    limit(10_000);
    append("a", "1");
    append("a", noise());
    append("a", "3");
    append("b", "4");
    try (KafkaMessagePublisher quick =
            publisher().atLeastOnce().client("compression.type", "gzip").build();
        Relay relay = relay(quick).poison(PoisonPolicy.PARK_KEY).start()) {
      awaitParked();
      append("b", "5");
      assertThat(topic.byKey(3).get("a")).isEqualTo(List.of("1"));
    }
  }

  private static String noise() {
    StringBuilder noise = new StringBuilder();
    new Random(1).ints(30_000, 'a', 'z').forEach(noise::appendCodePoint);
    return noise.toString();
  }

  @Test
  void K2_K5_whatOnlyTheBrokerCanRefuseAbortsTheBatch() {
    limit(10_000);
    // Compressed records may fit, so the publisher sends them and the broker decides.
    append("a", "1");
    append("a", LARGE);
    UUID poison = append("a", noise());
    append("a", "4");
    append("b", "5");
    try (KafkaMessagePublisher compressing =
            publisher().client("compression.type", "gzip").build();
        Relay relay = relay(compressing).poison(PoisonPolicy.PARK_KEY).start()) {
      assertThat(topic.byKey(3)).isEqualTo(Map.of("a", List.of("1", LARGE), "b", List.of("5")));
      assertThat(awaitParked().parked().get(0).first().id()).isEqualTo(poison);
      control().skip(poison, "operator", "noise");
      assertThat(topic.byKey(4).get("a")).containsExactly("1", LARGE, "4");
    }
  }
}
