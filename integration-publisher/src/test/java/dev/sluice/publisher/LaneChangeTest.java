package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.Progress;
import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
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

  private void publishMore(Relay.Builder first, int lanes) {
    try (Relay relay = first.lanes(lanes).start()) {
      appendMore(40);
      awaitLanes(lanes);
      assertThat(topic.read(appended)).hasSize(appended);
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
    SimpleMeterRegistry meters = new SimpleMeterRegistry();
    try (Relay one = relay().owner("one").lanes(1).meters(meters).start();
        Relay two = relay().owner("two").lanes(3).start()) {
      appendMore(200);
      awaitLanes(1);
      assertThat(one.changeLanes(4, "operator", "load")).isEqualTo(4);
      appendMore(200);
      awaitLanes(4);
      assertThat(topic.read(appended)).hasSize(appended);
      await("both have lanes", () -> owners().equals(Set.of("one", "two")) ? true : null);
      await(
          "a gauge of each lane",
          () -> meters.find("sluice.relay.backlog").tag("lane", "3").gauge());
      appendMore(100);
      two.changeLanes(2, "operator", "load");
      appendMore(100);
      awaitLanes(2);
      assertThat(topic.byKey(appended)).isEqualTo(expected);
      // Nobody waits for a lane that is gone.
      await("pruned", () -> storage.outbox().count(Position.START) < 100 ? true : null);
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
    publishMore(relay(), 2);
    // As if the process had died after it sealed the first lane.
    try (var lane = publisher.open(name, 0)) {
      var progress = lane.progress().orElseThrow();
      lane.publish(
          List.of(),
          new Progress(progress.position(), LaneState.parse(progress.state()).sealed(3).format()));
    }
    appendMore(40);
    try (Relay relay = relay().lanes(2).start()) {
      assertThat(awaitStatus(Condition.FAILING).error().orElseThrow())
          .contains("changed to 3 lanes", "Relay.changeLanes");
      assertThat(relay.changeLanes(5, "operator", "load")).isEqualTo(3);
      awaitLanes(3);
      assertThat(topic.byKey(appended)).isEqualTo(expected);
    }
  }

  /** The text form of what a lane was when it was sealed. */
  private Progress seal(int lane, int nextLanes) {
    try (var broker = publisher.open(name, lane)) {
      Progress last = broker.progress().orElseThrow();
      LaneState sealed = LaneState.parse(last.state()).sealed(nextLanes);
      Progress progress = new Progress(last.position(), sealed.format());
      broker.publish(List.of(), progress);
      return progress;
    }
  }

  @Test
  void K2_K3_aLaneThatRanBeforeAnInterruptedChangeIsCompleted_givesTheOthersNoWrongPlace() {
    publishMore(relay(), 3);
    // As if the process had died when it had begun one of the two new lanes.
    List<Position> former =
        IntStream.range(0, 3).mapToObj(lane -> seal(lane, 2).position()).toList();
    Position least = former.stream().min(Position::compareTo).orElseThrow();
    try (var broker = publisher.open(name, 1)) {
      LaneState begun = new LaneState(2, 2, 0, former, null, null, null, List.of(), 0);
      broker.publish(List.of(), new Progress(least, begun.format()));
    }
    try (Relay relay = relay().lanes(3).start()) {
      appendMore(40);
      long ofLane1 = expected.keySet().stream().filter(key -> Lanes.of(key, 2) == 1).count();
      assertThat(topic.read(40 + 2 * (int) ofLane1)).hasSize(40 + 2 * (int) ofLane1);
      await(
          "a checkpoint that is ahead of the other lane's",
          () -> {
            Position pruned =
                storage.checkpoints().load("relay/" + name + "/1").orElseThrow().position();
            return pruned.isAfter(least) ? true : null;
          });
      assertThat(relay.changeLanes(2, "operator", "load")).isEqualTo(2);
      awaitLanes(2);
      assertThat(topic.byKey(appended)).isEqualTo(expected);
    }
  }

  /** Holds messages, but no record of a progress alone, until the latch opens. */
  private static MessagePublisher held(
      MessagePublisher publisher, CountDownLatch waits, CountDownLatch opens) {
    return new Intercepted(
        publisher,
        (lane, messages) -> {
          if (!messages.isEmpty()) {
            waits.countDown();
            awaitOpening(opens);
          }
        });
  }

  private static void awaitOpening(CountDownLatch opens) {
    try {
      assertThat(opens.await(60, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void K2_withoutTransactionsNoLaneIsSealedBeforeItsOwnerHasLeft() throws Exception {
    CountDownLatch waits = new CountDownLatch(1);
    CountDownLatch opens = new CountDownLatch(1);
    appendMore(100);
    try (KafkaMessagePublisher quick = publisher().atLeastOnce().build();
        Relay relay = relay(held(quick, waits, opens)).start()) {
      assertThat(waits.await(60, TimeUnit.SECONDS)).isTrue();
      CompletableFuture<Integer> change =
          CompletableFuture.supplyAsync(() -> relay.changeLanes(2, "operator", "load"));
      assertThatThrownBy(() -> change.get(3, TimeUnit.SECONDS))
          .isInstanceOf(TimeoutException.class);
      opens.countDown();
      assertThat(change.get(60, TimeUnit.SECONDS)).isEqualTo(2);
      awaitLanes(2);
      appendMore(100);
      assertThat(topic.byKey(appended)).isEqualTo(expected);
    }
  }

  private static String keyOf(int lane, int lanes) {
    return IntStream.range(0, 100)
        .mapToObj(i -> "k" + i)
        .filter(key -> Lanes.of(key, lanes) == lane)
        .findFirst()
        .orElseThrow();
  }

  @Test
  void aRefusedChangeLeavesEveryLaneAtWork() {
    String parked = keyOf(1, 2);
    appendRefused(parked);
    try (Relay relay = relay().lanes(2).poison(PoisonPolicy.PARK_KEY).start()) {
      await(
          "parked",
          () ->
              control().status().stream().anyMatch(lane -> !lane.parked().isEmpty()) ? true : null);
      assertThatThrownBy(() -> relay.changeLanes(3, "operator", "load"))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("resume, skip or replace");
      append(keyOf(0, 2), "1");
      assertThat(topic.byKey(1)).isEqualTo(Map.of(keyOf(0, 2), List.of("1")));
    }
  }

  @Test
  void K4_whatALaneThatHasNotBegunHasToPublishIsNotPruned() {
    String late = keyOf(1, 2);
    append(late, "1");
    for (int i = 0; i < 10; i++) {
      append(keyOf(0, 2), "" + i);
    }
    // Somebody has the lane and doesn't come to begin it.
    Lease held = hold(1);
    try (Relay relay = relay().lanes(2).start()) {
      assertThat(topic.read(10)).hasSize(10);
      await(
          "lane 0 may be pruned",
          () -> {
            storage.outbox().prune(100);
            return storage
                .checkpoints()
                .load("relay/" + name + "/0")
                .filter(checkpoint -> checkpoint.position().isAfter(Position.START))
                .orElse(null);
          });
      storage.outbox().prune(100);
      storage.leases().release(held);
      assertThat(topic.byKey(11)).containsEntry(late, List.of("1"));
    }
  }

  private Lease hold(int lane) {
    return storage
        .leases()
        .acquire("relay/" + name + "/" + lane, "somebody", Duration.ofMinutes(5))
        .orElseThrow();
  }

  /** Somebody prunes the outbox whenever a checkpoint has changed. */
  private record Pruned(CheckpointStore checkpoints, Outbox outbox) implements CheckpointStore {
    @Override
    public Optional<Checkpoint> load(String name) {
      return checkpoints.load(name);
    }

    @Override
    public void save(Checkpoint checkpoint) {
      checkpoints.save(checkpoint);
      outbox.prune(1_000);
    }

    @Override
    public List<Checkpoint> list(String prefix) {
      return checkpoints.list(prefix);
    }

    @Override
    public void delete(String name) {
      checkpoints.delete(name);
      outbox.prune(1_000);
    }
  }

  @Test
  void K4_whatTheSlowestLaneHasToPublishIsNotPrunedWhileTheNumberOfLanesChanges() {
    publishMore(relay().keepPublished(), 2);
    // Lane 0 stays behind, and its checkpoint is the first that is begun anew.
    Lease held = hold(0);
    appendMore(40);
    Position head = storage.outbox().head();
    try (Relay relay = relay().lanes(2).start()) {
      await(
          "lane 1 is through",
          () -> control().status().get(1).position().equals(head) ? true : null);
    }
    storage.leases().release(held);
    changeToOneLaneWhilePruning();
    try (Relay relay = relay().start()) {
      assertThat(topic.byKey(appended)).isEqualTo(expected);
      // Nor does anything of the change hold back what is published.
      await("pruned", () -> storage.outbox().count(Position.START) == 1 ? true : null);
    }
  }

  private void changeToOneLaneWhilePruning() {
    RelaySettings settings =
        Relay.builder(name, storage.outbox(), pruned(), storage.leases(), publisher)
            .leaseDuration(Duration.ofSeconds(2))
            .settings();
    assertThat(new LaneChange(settings).to(1, "operator", "load")).isEqualTo(1);
  }

  private CheckpointStore pruned() {
    return new Pruned(storage.checkpoints(), storage.outbox());
  }

  @Test
  void K4_whatARestartedLaneHasToPublishIsNotPrunedWhileItsCheckpointIsBegunAnew() {
    publishMore(relay().keepPublished(), 2);
    long ofLane1 = expected.keySet().stream().filter(key -> Lanes.of(key, 2) == 1).count();
    int again = 2 * (int) ofLane1;
    // The other lane's checkpoint, up to which all may be pruned, stays as it is.
    Lease held = hold(0);
    control().restart(1, Position.START, "operator", "consumers have lost all");
    try (Relay relay =
        Relay.builder(name, storage.outbox(), pruned(), storage.leases(), publisher)
            .lanes(2)
            .keepPublished()
            .start()) {
      assertThat(topic.read(appended + again)).hasSize(appended + again);
      awaitCheckpoints("relay/" + name + "/0", "relay/" + name + "/1");
    }
    storage.leases().release(held);
  }

  private void awaitCheckpoints(String... names) {
    await(
        List.of(names) + " and no other",
        () ->
            storage.checkpoints().list(Outbox.RELAY_PREFIX).stream()
                    .map(Checkpoint::name)
                    .toList()
                    .equals(List.of(names))
                ? true
                : null);
  }

  @Test
  void whatARestartThatBrokeOffHasLeftDoesNotHoldPruningBack() {
    publishMore(relay().keepPublished(), 1);
    storage.checkpoints().delete("relay/" + name + "/0");
    storage
        .checkpoints()
        .save(Checkpoint.first("relay/restart:" + name + "/0", Position.START, Payload.EMPTY, 0));
    try (Relay relay = relay().start()) {
      await("pruned", () -> storage.outbox().count(Position.START) == 1 ? true : null);
      awaitCheckpoints("relay/" + name + "/0");
    }
    assertThat(topic.byKey(appended)).isEqualTo(expected);
  }

  @Test
  void aLeftoverOfAChangeThatBrokeOffKeepsTheOutboxUntilTheLanesHaveBegun() {
    publishMore(relay().keepPublished(), 2);
    Lease held = hold(0);
    appendMore(40);
    Position head = storage.outbox().head();
    try (Relay relay = relay().lanes(2).keepPublished().start()) {
      await(
          "lane 1 is through",
          () -> control().status().get(1).position().equals(head) ? true : null);
    }
    storage.leases().release(held);
    // As if the process had died when it had deleted the checkpoint of lane 0.
    storage
        .checkpoints()
        .save(Checkpoint.first("relay/change:" + name, Position.START, Payload.EMPTY, 0));
    storage.checkpoints().delete("relay/" + name + "/0");
    changeToOneLaneWhilePruning();
    try (Relay relay = relay().start()) {
      assertThat(topic.byKey(appended)).isEqualTo(expected);
    }
  }

  @Test
  void K4_aChangeThatTheBrokerHasNoRoomForLeavesEveryLaneAtWork() {
    createTopic(progressTopic(), 1, Map.of("cleanup.policy", "compact"));
    try (KafkaMessagePublisher strict = publisher().createTopics(false).build();
        Relay relay = relay(strict).start()) {
      append("a", "1");
      assertThat(topic.read(1)).hasSize(1);
      assertThatThrownBy(() -> relay.changeLanes(2, "operator", "load"))
          .isInstanceOf(BrokerUnavailableException.class)
          .hasMessageContaining("has 1 partition(s) for 2 lanes");
      append("a", "2");
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1", "2")));
      assertThat(control().decisions()).isEmpty();
    }
  }

  /** A broker that lets lanes be opened, and takes so many batches and no more. */
  private MessagePublisher closedAfter(int batches) {
    AtomicInteger left = new AtomicInteger(batches);
    return new Intercepted(
        publisher,
        (lane, messages) -> {
          if (left.getAndDecrement() <= 0) {
            throw new BrokerUnavailableException("takes nothing more");
          }
        });
  }

  @Test
  void aChangeThatEndedAfterItsFirstNewLaneIsCompleted() {
    publishMore(relay(), 2);
    appendMore(40);
    // Two seals, and the first of three lanes.
    assertThatThrownBy(() -> change(closedAfter(3)).to(3, "a", "b"))
        .isInstanceOf(BrokerUnavailableException.class);
    assertThat(change(publisher).to(3, "operator", "load")).isEqualTo(3);
    try (Relay relay = relay().start()) {
      assertThat(topic.byKey(appended)).isEqualTo(expected);
      awaitLanes(3);
    }
  }

  private LaneChange change(MessagePublisher through) {
    return new LaneChange(relay(through).settings());
  }

  @Test
  void lanesOfAStartThatCameToNothingDoNotHoldPruningBack() {
    append("a", "1");
    append("a", "2");
    String prefix = "relay/" + name + "/";
    try (Relay relay = relay(closedAfter(0)).lanes(3).start()) {
      await("guarded", () -> storage.checkpoints().list(prefix).size() == 3 ? true : null);
    }
    try (Relay relay = relay().lanes(1).start()) {
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1", "2")));
      await("pruned", () -> storage.outbox().count(Position.START) == 1 ? true : null);
      awaitLanes(1);
    }
  }

  @Test
  void K4_aLaneThatIsNotInUseAndFailsDoesNotHoldPruningBack() throws InterruptedException {
    publishMore(relay().keepPublished(), 1);
    // Of a process that believes in three lanes, and does not reach the broker to learn better.
    SimpleMeterRegistry meters = new SimpleMeterRegistry();
    try (KafkaMessagePublisher cutOff = cutOff()) {
      LaneRunner third =
          new LaneRunner(
              relay(cutOff).meters(meters).settings(),
              2,
              () -> true,
              () -> false,
              found -> {},
              Runnable::run);
      Thread thread = Thread.ofPlatform().start(third);
      await("it fails", () -> meters.find("sluice.relay.failures").tag("lane", "2").counter());
      third.close();
      thread.join();
    }
    storage.outbox().prune(1_000);
    assertThat(storage.outbox().count(Position.START)).isEqualTo(1);
  }

  @Test
  void aLaneThatIsNoMoreIsHeldByNobody() throws InterruptedException {
    publishMore(relay(), 3);
    assertThat(change(publisher).to(2, "operator", "load")).isEqualTo(2);
    // It finds the lane sealed, and holding it would count as a share of the lanes.
    LaneRunner third =
        new LaneRunner(
            relay().leaseDuration(Duration.ofMinutes(5)).settings(),
            2,
            () -> true,
            () -> false,
            found -> {},
            Runnable::run);
    Thread thread = Thread.ofPlatform().start(third);
    await("it has looked", () -> third.failures() > 0 ? true : null);
    await("given back", () -> storage.leases().list("relay/" + name + "/").isEmpty() ? true : null);
    third.close();
    thread.join();
    assertThat(control().status()).hasSize(2).allMatch(lane -> lane.error().isEmpty());
  }

  @Test
  void aProcessThatIsLeftWithoutALaneFindsThoseThatWereAdded() {
    try (Relay relay = relay().lanes(1).start()) {
      awaitLanes(1);
      // Another process changes the number, and has lane 0 before this one comes back for it.
      MessagePublisher quicker =
          new Intercepted(
              publisher,
              (lane, messages) -> {
                if (storage.leases().list("relay/" + name + "/").isEmpty()) {
                  hold(0);
                }
              });
      assertThat(change(quicker).to(3, "operator", "load")).isEqualTo(3);
      awaitLanes(3);
    }
  }

  @Test
  void theBacklogIsThatOfTheLane() {
    // The other lane's messages are between those that the stopped one has not passed.
    UUID stops = appendRefused(keyOf(0, 2));
    for (int i = 0; i < 10; i++) {
      append(keyOf(1, 2), "" + i);
    }
    append(keyOf(0, 2), "1");
    try (Relay relay = relay().lanes(2).start()) {
      assertThat(topic.read(10)).hasSize(10);
      assertThat(awaitStatus(Condition.STOPPED).backlog()).isEqualTo(2);
      await("lane 1 is through", () -> control().status().get(1).backlog() == 0 ? true : null);
      control().skip(stops, "operator", "a test");
      assertThat(topic.read(11)).hasSize(11);
    }
  }

  @Test
  void aParkedKeyIsDecidedFirst() {
    appendRefused("a");
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
