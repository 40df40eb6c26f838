package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import io.cloudevents.CloudEvent;
import io.cloudevents.SpecVersion;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try")
class RelayTest extends KafkaFixture {

  @Test
  void K1_publishesCloudEventsThatTheSdkReads() {
    append("account-1", "{\"amount\":42}");
    OutboxMessage message = storage.outbox().read(Position.START, 1).get(0);
    try (Relay relay = relay().start()) {
      List<ConsumerRecord<String, CloudEvent>> found = topic.read(1);
      assertThat(found).hasSize(1);
      CloudEvent event = found.get(0).value();
      assertThat(found.get(0).key()).isEqualTo("account-1");
      assertThat(event.getSpecVersion()).isEqualTo(SpecVersion.V1);
      assertThat(event.getId()).isEqualTo(message.message().id().toString());
      assertThat(event.getSource()).isEqualTo(SOURCE);
      assertThat(event.getType()).isEqualTo(DEPOSIT);
      assertThat(event.getSubject()).isEqualTo("account-1");
      assertThat(event.getTime()).isEqualTo(message.message().time().atOffset(ZoneOffset.UTC));
      assertThat(event.getDataContentType()).isEqualTo("application/json");
      assertThat(event.getExtension("correlationid")).isEqualTo("correlation-account-1");
      assertThat(event.getExtension("causationid")).isNull();
      assertThat(Topic.data(event)).isEqualTo("{\"amount\":42}");
    }
  }

  @Test
  void K1_theEventNamesItsSchemaAndWhatCausedIt() {
    URI schema = URI.create("https://schemas.example.com/deposit.json");
    NewEvent plain = Messages.event(EventIds.next(), DEPOSIT, "a", "1");
    IntegrationMessage message = plain.messages().get(0);
    NewEvent caused =
        new NewEvent(
            plain.id(),
            plain.type(),
            plain.time(),
            plain.data(),
            plain.metadata(),
            List.of(
                new IntegrationMessage(
                    message.id(),
                    message.type(),
                    message.key(),
                    message.subject(),
                    message.time(),
                    message.data(),
                    message.correlationId(),
                    Optional.of("command-7"))));
    storage
        .eventStore()
        .append(new Append(new StreamId("account", "a"), ExpectedVersion.any(), List.of(caused)));
    try (KafkaMessagePublisher describing =
            KafkaMessagePublisher.builder(
                    bootstrap,
                    SOURCE,
                    PublishedLanguage.builder()
                        .topic(name, 3, DEPOSIT)
                        .dataSchema(DEPOSIT, schema)
                        .build())
                .build();
        Relay relay = relay(describing).start()) {
      CloudEvent event = topic.read(1).get(0).value();
      assertThat(event.getDataSchema()).isEqualTo(schema);
      assertThat(event.getExtension("causationid")).isEqualTo("command-7");
    }
  }

  @Test
  void O5_whatIsPublishedLeavesTheOutbox() {
    for (int i = 0; i < 1_200; i++) {
      append("k" + i % 5, "" + i);
    }
    try (Relay relay = relay().keepPublished().start()) {
      assertThat(topic.read(1_200)).hasSize(1_200);
      await("may be pruned", () -> relay.status().get(0).backlog() == 0 ? true : null);
    }
    assertThat(storage.outbox().count(Position.START)).isEqualTo(1_200);
    try (Relay relay = relay().start()) {
      // The last one stays: by it a lane tells whether the outbox is the one that it has read.
      await("pruned", () -> storage.outbox().count(Position.START) == 1 ? true : null);
    }
    append("k0", "later");
    try (Relay relay = relay().start()) {
      assertThat(topic.read(1_201)).hasSize(1_201);
      assertThat(awaitStatus(Condition.RUNNING).error()).isEmpty();
    }
  }

  /** An outbox from which nothing can be removed, as without the right to delete. */
  private static Outbox unprunable(Outbox outbox, AtomicInteger refused) {
    return new ForwardingOutbox(() -> outbox) {
      @Override
      public int prune(int max) {
        refused.incrementAndGet();
        throw new IllegalStateException("nothing may be deleted");
      }
    };
  }

  @Test
  void K4_anOutboxThatCanNotBePrunedIsPublishedAllTheSame() {
    AtomicInteger refused = new AtomicInteger();
    append("a", "1");
    try (Relay relay =
        Relay.builder(
                name,
                unprunable(storage.outbox(), refused),
                storage.checkpoints(),
                storage.leases(),
                publisher)
            .start()) {
      await("tried again", () -> refused.get() > 1 ? true : null);
      append("a", "2");
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1", "2")));
      assertThat(awaitStatus(Condition.RUNNING).error()).isEmpty();
    }
  }

  @Test
  void K4_aMissingTopicThatNobodyMayCreateIsNamedInTheStatus_andTheLaneGoesOnWhenItIsThere() {
    String missing = name + "-missing";
    append("a", "1");
    try (KafkaMessagePublisher strict =
            KafkaMessagePublisher.builder(
                    bootstrap,
                    SOURCE,
                    PublishedLanguage.builder().topic(missing, 2, DEPOSIT).build())
                .createTopics(false)
                .build();
        Relay relay = relay(strict).start()) {
      LaneStatus failing = awaitStatus(Condition.FAILING);
      assertThat(failing.error().orElseThrow()).contains("is missing: create it with");
      assertThat(failing.backlog()).isEqualTo(1);
      createTopic(missing, 2, Map.of());
      createTopic(progressTopic(), 1, Map.of("cleanup.policy", "compact"));
      assertThat(new Topic(bootstrap, missing).byKey(1)).isEqualTo(Map.of("a", List.of("1")));
      assertThat(awaitStatus(Condition.RUNNING).error()).isEmpty();
    }
  }

  @Test
  void K4_whoReachesTheStoreButNotKafkaLeavesTheLanesToOthers() {
    append("a", "1");
    try (KafkaMessagePublisher cutOff = cutOff();
        Relay first = relay(cutOff).owner("cut off").lanes(2).start()) {
      assertThat(awaitStatus(Condition.FAILING).owner()).contains("cut off");
      try (Relay second = relay().owner("healthy").lanes(2).start()) {
        assertThat(topic.read(1)).hasSize(1);
        await(
            "the healthy one has all lanes",
            () ->
                control().status().stream()
                            .filter(lane -> lane.owner().equals(Optional.of("healthy")))
                            .count()
                        == 2
                    ? true
                    : null);
      }
    }
  }

  @Test
  void K4_aTypeThatOnlyTheNextVersionPublishesIsLeftToIt() {
    try (KafkaMessagePublisher newer = newer();
        Relay old = relay().owner("old").start()) {
      append("a", "1");
      assertThat(topic.read(1)).hasSize(1);
      try (Relay next = relay(newer).owner("new").start()) {
        append("a", "2");
        Messages.append(storage, NEW_TYPE, "a", "3");
        append("b", "4");
        assertThat(topic.byKey(4))
            .isEqualTo(Map.of("a", List.of("1", "2", "3"), "b", List.of("4")));
      }
    }
  }

  @Test
  void K4_aTypeThatIsPublishedNowhereIsNoReasonToDecide_andKeepsNothingBackThatStandsBefore() {
    append("a", "1");
    Messages.append(storage, NEW_TYPE, "a", "2");
    append("b", "3");
    try (Relay relay = relay().poison(PoisonPolicy.PARK_KEY).maxAttempts(1).start()) {
      assertThat(topic.byKey(1)).isEqualTo(Map.of("a", List.of("1")));
      LaneStatus failing = awaitStatus(Condition.FAILING);
      assertThat(failing.error().orElseThrow()).contains(NEW_TYPE, "PublishedLanguage");
      assertThat(failing.parked()).isEmpty();
    }
    try (KafkaMessagePublisher newer = newer();
        Relay relay = relay(newer).start()) {
      assertThat(topic.byKey(3)).isEqualTo(Map.of("a", List.of("1", "2"), "b", List.of("3")));
    }
  }

  private void assertThatAHealthyOneTakesOverFrom(MessagePublisher broken) {
    append("a", "1");
    try (Relay first = relay(broken).owner("broken").start()) {
      assertThat(awaitStatus(Condition.FAILING).owner()).contains("broken");
      try (Relay second = relay().owner("healthy").start()) {
        assertThat(topic.byKey(1)).isEqualTo(Map.of("a", List.of("1")));
      }
    }
  }

  @Test
  void K4_whoCanNotOpenALaneLeavesItToOthers() {
    assertThatAHealthyOneTakesOverFrom(
        new MessagePublisher() {
          @Override
          public Lane open(String relay, int lane) {
            throw new NoClassDefFoundError("of a library that is missing here");
          }

          @Override
          public void close() {}
        });
  }

  @Test
  void K4_whoOpensALaneAndCanNotPublishLeavesItToOthers() {
    assertThatAHealthyOneTakesOverFrom(
        new Intercepted(
            publisher,
            (lane, messages) -> {
              if (!messages.isEmpty()) {
                throw new IllegalStateException("broken in this process");
              }
            }));
  }

  @Test
  void failuresOfAWhileAgoDoNotMakeALaneWaitLonger() throws InterruptedException {
    AtomicInteger left = new AtomicInteger(3);
    MessagePublisher flaky =
        new Intercepted(
            publisher,
            (lane, messages) -> {
              if (!messages.isEmpty() && left.getAndDecrement() > 0) {
                throw new BrokerUnavailableException("away for a moment");
              }
            });
    append("a", "1");
    LaneRunner runner =
        new LaneRunner(
            relay(flaky).settings(), 0, () -> true, () -> false, found -> {}, Runnable::run);
    Thread thread = Thread.ofPlatform().start(runner);
    await("failures", () -> runner.failures() > 1 ? true : null);
    assertThat(topic.read(1)).hasSize(1);
    await("forgotten", () -> runner.failures() == 0 ? true : null);
    runner.close();
    thread.join();
  }

  @Test
  void K4_aChangeInARelayWhoseNameBeginsLikeThisOnesIsNoneOfIts() {
    String change = "relay-change/" + name + "-backfill";
    assertThat(storage.leases().acquire(change, "another", Duration.ofMinutes(5))).isPresent();
    append("a", "1");
    try (Relay relay = relay().start()) {
      assertThat(topic.byKey(1)).isEqualTo(Map.of("a", List.of("1")));
    }
  }

  /** An outbox whose messages take for ever to be counted. */
  private static Outbox uncountable(
      Outbox outbox, CountDownLatch counting, CountDownLatch counted) {
    return new ForwardingOutbox(() -> outbox) {
      @Override
      public long count(Position after) {
        counting.countDown();
        try {
          counted.await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
        return super.count(after);
      }
    };
  }

  private record Counted(LeaseStore leases, AtomicInteger renewals) implements LeaseStore {
    @Override
    public Optional<Lease> acquire(String name, String owner, Duration duration) {
      return leases.acquire(name, owner, duration);
    }

    @Override
    public Lease renew(Lease lease, Duration duration) {
      renewals.incrementAndGet();
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
  }

  @Test
  void leasesAreRenewedHoweverLongTheMetersTake() throws InterruptedException {
    CountDownLatch counting = new CountDownLatch(1);
    CountDownLatch counted = new CountDownLatch(1);
    AtomicInteger renewals = new AtomicInteger();
    append("a", "1");
    // Nothing is published, so that there is something to count.
    try (KafkaMessagePublisher cutOff = cutOff();
        Relay relay =
            Relay.builder(
                    name,
                    uncountable(storage.outbox(), counting, counted),
                    storage.checkpoints(),
                    new Counted(storage.leases(), renewals),
                    cutOff)
                .leaseDuration(Duration.ofSeconds(1))
                .meters(new SimpleMeterRegistry())
                .start()) {
      assertThat(counting.await(60, TimeUnit.SECONDS)).isTrue();
      int before = renewals.get();
      await("renewed again and again", () -> renewals.get() > before + 10 ? true : null);
      counted.countDown();
    }
  }

  @Test
  void whoIsFencedCountsItAmongItsFailures() {
    SimpleMeterRegistry meters = new SimpleMeterRegistry();
    append("a", "1");
    try (Relay relay = relay().meters(meters).start()) {
      assertThat(topic.read(1)).hasSize(1);
      publisher.open(name, 0).close();
      append("a", "2");
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1", "2")));
      assertThat(meters.get("sluice.relay.failures").tag("lane", "0").counter().count())
          .isEqualTo(1);
    }
  }

  @Test
  void aRelayThatBeginsCarriesOutNothingThatWasDecidedBefore() {
    append("a", "1");
    append("a", "2");
    // Left of one with the same name, of which the store and the broker know nothing more.
    new ControlLog(storage.checkpoints(), name)
        .add(
            new ControlLog.Command(
                0,
                Instant.EPOCH,
                "operator",
                "a year ago",
                ControlLog.Action.RESTART,
                null,
                "",
                "",
                0,
                storage.outbox().head()));
    try (Relay relay = relay().start()) {
      assertThat(topic.byKey(2)).isEqualTo(Map.of("a", List.of("1", "2")));
    }
  }

  @Test
  void O5_aRelayThatIsForgottenHoldsPruningBackNoLonger() {
    append("a", "1");
    append("a", "2");
    try (Relay relay = relay().start()) {
      assertThat(topic.read(2)).hasSize(2);
      awaitStatus(Condition.RUNNING);
      assertThatThrownBy(() -> control().forget())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("stop it everywhere");
    }
    append("a", "3");
    storage
        .checkpoints()
        .save(Checkpoint.first("relay/other/0", storage.outbox().head(), Payload.EMPTY, 0));
    storage.outbox().prune(10);
    assertThat(storage.outbox().count(Position.START)).isPositive();

    control().forget();

    assertThat(control().status()).isEmpty();
    storage.outbox().prune(10);
    assertThat(storage.outbox().count(Position.START)).isZero();
  }

  /** A store keeps something of each name of a lease for ever. */
  @Test
  void relaysThatAreStartedAgainUseTheNamesOfTheirLeasesAgain() {
    String members = "relay-member/" + name + "/";
    for (int start = 0; start < 2; start++) {
      try (Relay one = relay().start();
          Relay two = relay().start()) {
        List<String> held =
            await(
                "both are members",
                () -> {
                  List<String> names =
                      storage.leases().list(members).stream().map(Lease::name).toList();
                  return names.size() == 2 ? names : null;
                });
        assertThat(held).containsExactly(members + 0, members + 1);
      }
    }
  }

  @Test
  void theRetentionOfTheTopicCountsFromThePublication() {
    long begin = System.currentTimeMillis();
    append("a", "1");
    Messages.append(storage, DEPOSIT, "b", "2", Instant.EPOCH);
    try (Relay relay = relay().start()) {
      List<ConsumerRecord<String, CloudEvent>> found = topic.read(2);
      assertThat(found).hasSize(2).allMatch(record -> record.timestamp() >= begin);
      assertThat(found)
          .extracting(record -> Objects.requireNonNull(record.value().getTime()).toInstant())
          .contains(Instant.EPOCH);
    }
  }

  @Test
  void K2_K3_aRestartedRelayGoesOnWhereTheLastOneStopped() {
    for (int i = 0; i < 250; i++) {
      append("k" + i % 5, "" + i);
    }
    try (Relay first = relay().start()) {
      assertThat(topic.read(250)).hasSize(250);
    }
    for (int i = 250; i < 300; i++) {
      append("k" + i % 5, "" + i);
    }
    try (Relay second = relay().start()) {
      Map<String, List<String>> found = topic.byKey(300);
      assertThat(found).hasSize(5);
      for (int key = 0; key < 5; key++) {
        int first = key;
        assertThat(found.get("k" + key))
            .isEqualTo(
                java.util.stream.IntStream.range(0, 60)
                    .mapToObj(i -> "" + (first + 5 * i))
                    .toList());
      }
    }
  }
}
