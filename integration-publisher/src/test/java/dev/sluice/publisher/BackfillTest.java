package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.PublisherProcess.Mode;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

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
        expected.put("k" + key, History.told(0, 200));
      }
      RelayControl control =
          new RelayControl(name, History.missed(history), history.checkpoints(), history.leases());
      for (int kill = 0; kill < 3; kill++) {
        Position before = position(control);
        try (PublisherProcess victim =
            PublisherProcess.start(Mode.BACKFILL, database, bootstrap, name, 1)) {
          // Housekeeping tells once a second; until then it publishes and is killed somewhere.
          await("moving", () -> position(control).isAfter(before) ? true : null);
        }
      }
      try (PublisherProcess last =
          PublisherProcess.start(Mode.BACKFILL, database, bootstrap, name, 1)) {
        assertThat(topic.byKey(4_000)).isEqualTo(expected);
      }
    }
  }

  private static Position position(RelayControl control) {
    List<LaneStatus> all = control.status();
    return all.isEmpty() ? Position.START : all.get(0).position();
  }
}
