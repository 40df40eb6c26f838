package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.testservers.PostgresServer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

class ManyWritersTest {
  static NewEvent event(int messages) {
    List<IntegrationMessage> m = new ArrayList<>();
    for (int i = 0; i < messages; i++) {
      m.add(
          new IntegrationMessage(
              EventIds.next(),
              "t",
              "k",
              "s",
              Instant.now(),
              Payload.ofUtf8("{}"),
              Optional.of("c"),
              Optional.empty()));
    }
    return new NewEvent(
        EventIds.next(), "opened", Instant.now(), Payload.ofUtf8("{\"a\":1}"), Payload.EMPTY, m);
  }

  @Test
  void S5_manyWritersOfFewStreamsKeepEveryEventAndARepetitionStoresNothing() throws Exception {
    HikariConfig config = new HikariConfig();
    config.setDataSource(PostgresServer.shared().newDatabase().dataSource());
    try (HikariDataSource pool = new HikariDataSource(config);
        JdbcStorage s = JdbcStorage.create(pool)) {
      StreamId a = StreamId.of("account", "1");
      s.eventStore().append(a, ExpectedVersion.noStream(), List.of(event(0)));
      s.eventStore().append(a, ExpectedVersion.exactly(1), List.of(event(0), event(0)));
      var again = List.of(event(1), event(2));
      var r = s.eventStore().append(a, ExpectedVersion.any(), again);
      assertThat(s.eventStore().append(a, ExpectedVersion.any(), again)).isEqualTo(r);
      assertThat(s.eventStore().append(a, ExpectedVersion.exactly(3), again)).isEqualTo(r);
      try (var ex = Executors.newFixedThreadPool(32)) {
        List<Callable<Object>> c = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
          int ii = i;
          c.add(
              () ->
                  s.eventStore()
                      .append(
                          StreamId.of("account", "x" + ii % 50),
                          ExpectedVersion.any(),
                          List.of(event(ii % 3), event(0))));
        }
        for (var f : ex.invokeAll(c)) {
          f.get();
        }
      }
      assertThat(s.globalLog().count(Position.START, EventFilter.ALL)).isEqualTo(4005);
      for (int i = 0; i < 50; i++) {
        assertThat(s.eventStore().readFrom(StreamId.of("account", "x" + i), 1).count())
            .isEqualTo(80);
      }
      s.inTransaction(
          tx -> {
            tx.eventStore()
                .append(StreamId.of("account", "t"), ExpectedVersion.any(), List.of(event(0)));
            return tx.eventStore()
                .append(StreamId.of("account", "t"), ExpectedVersion.exactly(1), List.of(event(0)));
          });
    }
  }
}
