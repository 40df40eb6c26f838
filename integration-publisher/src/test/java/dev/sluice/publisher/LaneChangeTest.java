package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.publisher.LaneStatus.Condition;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try")
class LaneChangeTest extends KafkaFixture {
  private static final int KEYS = 20;

  private final Map<String, List<String>> expected = new TreeMap<>();
  private int appended;

  private void appendMore(int messages) {
    for (int i = 0; i < messages; i++) {
      String key = "k" + appended % KEYS;
      append(key, "" + appended);
      expected.computeIfAbsent(key, k -> new ArrayList<>()).add("" + appended);
      appended++;
    }
  }

  private void awaitLanes(int lanes) {
    await(
        lanes + " lanes at work",
        () -> {
          List<LaneStatus> all = control().status();
          return all.size() == lanes
                  && all.stream().allMatch(lane -> lane.condition() == Condition.RUNNING)
              ? all
              : null;
        });
  }

  @Test
  void K2_K3_theNumberOfLanesChangesWhileMessagesFlow() {
    // Two relays on one store, as two processes are; and one that believes in another number.
    try (Relay one = relay().owner("one").lanes(1).start();
        Relay two = relay().owner("two").lanes(3).start()) {
      appendMore(200);
      awaitLanes(1);
      assertThat(one.changeLanes(4, "operator", "load")).isEqualTo(4);
      appendMore(200);
      awaitLanes(4);
      assertThat(topic.read(appended)).hasSize(appended);
      await("both have lanes", () -> owners().equals(Set.of("one", "two")) ? true : null);
      appendMore(100);
      two.changeLanes(2, "operator", "load");
      appendMore(100);
      awaitLanes(2);
      assertThat(topic.byKey(appended)).isEqualTo(expected);
      // Nobody waits for a lane that is gone.
      await(
          "pruned",
          () -> {
            storage.outbox().prune(1_000);
            return storage.outbox().count(dev.sluice.core.Position.START) < 100 ? true : null;
          });
    }
    appendMore(100);
    try (Relay later = relay().lanes(7).start()) {
      awaitLanes(2);
      assertThat(topic.byKey(appended)).isEqualTo(expected);
    }
  }

  private Set<String> owners() {
    return control().status().stream()
        .flatMap(lane -> lane.owner().stream())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void anInterruptedChangeStandsStillUntilItIsCompleted() {
    try (Relay relay = relay().lanes(2).start()) {
      appendMore(40);
      awaitLanes(2);
      assertThat(topic.read(appended)).hasSize(appended);
    }
    // As if the process had died after it sealed the first lane.
    try (var lane = publisher.open(name, 0)) {
      var progress = lane.progress().orElseThrow();
      lane.publish(
          List.of(),
          new dev.sluice.core.outbox.Progress(
              progress.position(), LaneState.parse(progress.state()).sealed(3).format()));
    }
    appendMore(40);
    try (Relay relay = relay().lanes(2).start()) {
      assertThat(relay.changeLanes(5, "operator", "load")).isEqualTo(3);
      awaitLanes(3);
      assertThat(topic.byKey(appended)).isEqualTo(expected);
    }
  }

  @Test
  void aParkedKeyIsDecidedFirst() {
    Messages.append(storage, "not.published", "a", "{}");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).start()) {
      await(
          "parked",
          () ->
              control().status().stream().anyMatch(lane -> !lane.parked().isEmpty()) ? true : null);
      assertThatThrownBy(() -> relay.changeLanes(2, "operator", "load"))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("resume, skip or replace");
    }
  }

  @Test
  void aKeysLaneNeverChangesBetweenVersions() {
    assertThat(IntStream.range(0, 12).mapToObj(i -> Lanes.of("account-" + i, 4)).toList())
        .isEqualTo(FIXED);
  }

  private static final List<Integer> FIXED = List.of(2, 0, 3, 3, 0, 2, 1, 1, 2, 0, 1, 1);
}
