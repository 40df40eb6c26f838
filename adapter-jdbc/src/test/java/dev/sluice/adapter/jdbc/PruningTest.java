package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.testservers.PostgresServer;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Pruning in several transactions, which whoever calls it doesn't see. */
class PruningTest {

  /** More than one transaction removes. */
  private static final int MESSAGES = 6_000;

  @Test
  void O5_asManyAsWereAskedForArePrunedHoweverManyTransactionsThatTakes() {
    try (HikariDataSource pool = PostgresFixture.pool(PostgresServer.shared().newDatabase(), 4);
        JdbcStorage storage = JdbcStorage.create(pool)) {
      List<NewEvent> events = Stream.generate(() -> Events.event(1_000)).limit(6).toList();
      storage.eventStore().append(StreamId.of("account", "42"), ExpectedVersion.any(), events);
      Outbox outbox = storage.outbox();
      assertThat(outbox.count(Position.START)).isEqualTo(MESSAGES);
      storage
          .checkpoints()
          .save(Checkpoint.first(Outbox.RELAY_PREFIX + "a", outbox.head(), Payload.EMPTY, 0));

      assertThat(outbox.prune(MESSAGES - 1)).isEqualTo(MESSAGES - 1);
      assertThat(outbox.count(Position.START)).isEqualTo(1);
      assertThat(outbox.prune(MESSAGES)).isEqualTo(1);
      assertThat(outbox.count(Position.START)).isZero();
    }
  }
}
