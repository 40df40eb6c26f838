package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.PublisherProcess.Mode;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@SuppressWarnings("try")
class BackfillTest extends KafkaFixture {

  @Test
  void K3_historyAndLiveMessagesTogetherAreEachMessageOnce_acrossRestarts() {
    Outbox missed = History.missed(storage);
    // 20 events from before the start and 10 from after it, in one append.
    History.append(storage, "a", 0, 30, History.START.minusSeconds(20));
    try (Relay live = relay().start()) {
      assertThat(topic.byKey(20)).isEqualTo(Map.of("a", History.told(20, 10)));
    }
    // An odd batch ends between the two messages of one event.
    int published = 20;
    for (int restart = 0; restart < 3; restart++) {
      try (Relay backfill = backfill(missed).start()) {
        published = 20 + 10 * (restart + 1);
        int wanted = published;
        await(
            "some of the history",
            () ->
                storage.checkpoints().list("backfill/" + name + "-backfill/").isEmpty()
                    ? null
                    : "");
        assertThat(topic.read(wanted)).hasSizeGreaterThanOrEqualTo(wanted);
      }
    }
    try (Relay backfill = backfill(missed).start()) {
      List<String> told = new ArrayList<>(topic.byKey(60).get("a"));
      assertThat(told.subList(0, 20)).isEqualTo(History.told(20, 10));
      assertThat(told.subList(20, told.size())).isEqualTo(History.told(0, 20));
      LaneStatus status =
          await(
              "nothing is left",
              () -> {
                LaneStatus now = backfill.status().get(0);
                return now.backlog() == 0 ? now : null;
              });
      assertThat(status.condition()).isEqualTo(Condition.RUNNING);
      // Late in the log, but from before the start: history, not live.
      History.append(storage, "b", 0, 1, History.START.minusSeconds(1));
      assertThat(topic.byKey(62).get("b")).isEqualTo(History.told(0, 1));
    }
    // Its checkpoint was deleted, so that pruning doesn't wait for it; then it runs once more.
    String prefix = "backfill/" + name + "-backfill/";
    storage
        .checkpoints()
        .list(prefix)
        .forEach(checkpoint -> storage.checkpoints().delete(checkpoint.name()));
    try (Relay backfill = backfill(missed).start()) {
      await("begun", () -> storage.checkpoints().list(prefix).isEmpty() ? null : "");
      History.append(storage, "c", 0, 1, History.START.minusSeconds(1));
      assertThat(topic.read(64)).hasSize(64);
    }
  }

  private Relay.Builder backfill(Outbox missed) {
    return Relay.builder(
            name + "-backfill", missed, storage.checkpoints(), storage.leases(), publisher)
        .maxBatchMessages(3);
  }

  @Test
  void K3_aSecondNewTypeIsMadeByABackfillOfItsOwn_andTheFirstOneIsNotRepeated() {
    History.append(storage, "a", 0, 10, History.START.minusSeconds(20));
    try (Relay first = backfill(History.missed(storage)).start()) {
      assertThat(topic.read(20)).hasSize(20);
    }
    try (KafkaMessagePublisher both = both();
        Relay second =
            Relay.builder(
                    name + "-counted",
                    History.missed(storage.globalLog(), History.SECOND, History.COUNTED),
                    storage.checkpoints(),
                    storage.leases(),
                    both)
                .start()) {
      assertThat(topic.read(30))
          .hasSize(30)
          .extracting(consumed -> consumed.value().getId())
          .doesNotHaveDuplicates();
      assertThat(topic.read(30).subList(20, 30))
          .extracting(consumed -> consumed.value().getType())
          .containsOnly(History.COUNTED);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {History.COUNTED, History.COUNTED + " " + DEPOSIT})
  void aBackfillWhoseTypesHaveChangedPublishesNothing_andSaysWhatToDo(String types) {
    History.append(storage, "a", 0, 10, History.START.minusSeconds(20));
    try (Relay first = backfill(History.missed(storage)).start()) {
      assertThat(topic.read(20)).hasSize(20);
    }
    Outbox changed = History.missed(storage.globalLog(), History.SECOND, types.split(" "));
    assertThat(error(changed))
        .contains(
            "has published history of " + DEPOSIT + ",",
            "is to publish history of " + History.COUNTED,
            "a relay with a name of its own");
    // Nor with the outbox of live messages, whose positions are others.
    assertThat(error(storage.outbox())).contains("is to publish all that is stored");
    assertThat(topic.read(0)).hasSize(20);
    // And with what it had before it goes on.
    History.append(storage, "a", 10, 1, History.START.minusSeconds(20));
    try (Relay first = backfill(History.missed(storage)).start()) {
      assertThat(topic.read(22)).hasSize(22);
    }
  }

  /** Why a relay with this outbox doesn't go on. */
  private String error(Outbox outbox) {
    try (KafkaMessagePublisher both = both();
        Relay relay =
            Relay.builder(name + "-backfill", outbox, storage.checkpoints(), storage.leases(), both)
                .start()) {
      return await(
          "failing",
          () ->
              relay.status().stream()
                  .flatMap(lane -> lane.error().stream())
                  .findFirst()
                  .orElse(null));
    }
  }

  private KafkaMessagePublisher both() {
    return KafkaMessagePublisher.builder(
            bootstrap,
            SOURCE,
            PublishedLanguage.builder().topic(name, 3, DEPOSIT, History.COUNTED).build())
        .build();
  }

  @Test
  void onlyTypesThatGoLiveLaterAreMadeFromHistory() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> History.missed(storage.globalLog(), History.SECOND))
        .withMessageContaining("at least one type");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> History.missed(storage.globalLog(), History.SECOND, "bank.typo"))
        .withMessageContainingAll("bank.typo", "Translation.startingAt");
  }

  @Test
  void whatWasLookedThroughOnceIsNotReadAgain() {
    History.append(storage, "a", 0, 2_001, History.START.minusSeconds(4_000));
    AtomicInteger read = new AtomicInteger();
    Outbox missed =
        History.missed(
            counting(storage.globalLog(), read), History.rarely(2_000), KafkaFixture.DEPOSIT);
    List<OutboxMessage> all = missed.read(Position.START, 100);
    assertThat(all).extracting(m -> m.message().data().toUtf8()).hasSize(2);
    // As a lane does now and then: is its last message still where it was?
    for (int check = 0; check < 3; check++) {
      read.set(0);
      assertThat(missed.read(all.get(0).position(), 1)).isEqualTo(all.subList(1, 2));
      assertThat(missed.read(all.get(1).position(), 1)).isEmpty();
      assertThat(missed.count(all.get(1).position())).isZero();
      if (check > 0) {
        assertThat(read).hasValueLessThan(10);
      }
    }
  }

  private static GlobalLog counting(GlobalLog log, AtomicInteger read) {
    return new GlobalLog() {
      @Override
      public LogPage read(Position after, EventFilter filter, int limit) {
        LogPage page = log.read(after, filter, limit);
        read.addAndGet(page.events().size());
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

  @Test
  void aTranslatorThatFailsStopsTheBackfill_andTheStatusNamesTheEvent() {
    History.append(storage, "a", 0, 5, History.START.minusSeconds(20));
    Outbox missed = History.missed(storage, new IllegalStateException("on purpose"));
    try (Relay backfill = backfill(missed).start()) {
      String error =
          await(
              "failing",
              () ->
                  storage.checkpoints().list("backfill/" + name + "-backfill/").stream()
                      .flatMap(checkpoint -> LaneReport.of(checkpoint).error().stream())
                      .findFirst()
                      .orElse(null));
      assertThat(error).contains("translator fails", "deposited", "account-a", "on purpose");
    }
  }

  @Test
  void everyPlaceInHistoryIsReadOnFrom() {
    Outbox missed = History.missed(storage);
    History.append(storage, "a", 0, 25, History.START.minusSeconds(20));
    History.append(storage, "a", 25, 5, History.START.minusSeconds(20));
    List<OutboxMessage> all = missed.read(Position.START, 100);
    assertThat(all).hasSize(50);
    for (int i = 0; i < all.size(); i++) {
      assertThat(missed.read(all.get(i).position(), 3))
          .isEqualTo(all.subList(i + 1, Math.min(all.size(), i + 4)));
    }
    assertThat(missed.head()).isGreaterThanOrEqualTo(all.getLast().position());
    assertThat(missed.count(missed.head())).isZero();
    // Nothing here is in the live outbox: together they are what the translator makes.
    List<OutboxMessage> live = storage.outbox().read(Position.START, 100);
    assertThat(live).hasSize(10);
    assertThat(all).extracting(m -> m.message().id()).doesNotHaveDuplicates();
    assertThat(all)
        .extracting(m -> m.message().id())
        .doesNotContainAnyElementsOf(live.stream().map(m -> m.message().id()).toList());
  }

  @Test
  void K2_K3_aKilledBackfillRepeatsNothing() {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    Map<String, List<String>> expected = new TreeMap<>();
    try (HikariDataSource pool = PublisherProcess.pool(database, 3);
        JdbcStorage history = JdbcStorage.create(pool)) {
      for (int round = 0; round < 10; round++) {
        for (int key = 0; key < 10; key++) {
          History.append(history, "k" + key, round * 20, 20, Instant.EPOCH);
        }
      }
      for (int key = 0; key < 10; key++) {
        expected.put("k" + key, History.told(0, 260));
      }
      RelayControl control =
          new RelayControl(name, History.missed(history), history.checkpoints(), history.leases());
      for (int kill = 0; kill < 3; kill++) {
        Position before = position(control);
        // So that there is something to publish also if the last victim has told of all.
        for (int key = 0; key < 10; key++) {
          History.append(history, "k" + key, 200 + kill * 20, 20, Instant.EPOCH);
        }
        try (PublisherProcess victim =
            PublisherProcess.start(Mode.BACKFILL, database, bootstrap, name, 1)) {
          // Housekeeping tells once a second; until then it publishes and is killed somewhere.
          await("moving", () -> position(control).isAfter(before) ? true : null);
        }
      }
      try (PublisherProcess last =
          PublisherProcess.start(Mode.BACKFILL, database, bootstrap, name, 1)) {
        assertThat(topic.byKey(5_200)).isEqualTo(expected);
      }
    }
  }

  private static Position position(RelayControl control) {
    List<LaneStatus> all = control.status();
    return all.isEmpty() ? Position.START : all.get(0).position();
  }
}
