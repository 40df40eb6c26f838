package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.testservers.FlakyProxy;
import dev.sluice.testservers.PostgresDatabase;
import dev.sluice.testservers.PostgresServer;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** How often an append waits for the network. */
class RoundTripsTest {

  private static final int WARM = 8;
  private static final int MEASURED = 5;

  @Test
  void anAppendIsOneRoundTripHoweverManyEventsAndMessagesThereAre() {
    PostgresDatabase database = PostgresServer.shared().newDatabase();
    URI address = URI.create(database.url().substring("jdbc:".length()));
    try (FlakyProxy proxy = FlakyProxy.to(address.getHost(), address.getPort())) {
      HikariConfig config = new HikariConfig();
      config.setDataSource(database.through(proxy).dataSource());
      config.setMaximumPoolSize(1);
      for (int lanes : List.of(0, JdbcStorage.Builder.DEFAULT_APPEND_LANES)) {
        try (HikariDataSource pool = new HikariDataSource(config);
            JdbcStorage storage =
                JdbcStorage.builder(pool).appendLanes(lanes).notifyAcrossProcesses(false).build()) {
          for (int count : List.of(1, 100)) {
            for (int messages : List.of(0, 2)) {
              assertThat(roundTrips(proxy, storage, count, messages))
                  .as("%s events, %s messages each, %s lanes", count, messages, lanes)
                  .isEqualTo(1);
            }
          }
        }
      }
    }
  }

  /** The least of some, since the pool asks a connection that was idle whether it lives. */
  private static long roundTrips(FlakyProxy proxy, JdbcStorage storage, int count, int messages) {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < WARM + MEASURED; i++) {
      List<NewEvent> events = Stream.generate(() -> Events.event(messages)).limit(count).toList();
      StreamId stream = StreamId.of("account", "" + count + messages);
      long before = proxy.roundTrips();
      storage.eventStore().append(stream, ExpectedVersion.any(), events);
      if (i >= WARM) {
        least = Math.min(least, proxy.roundTrips() - before);
      }
    }
    return least;
  }

  @Test
  void nobodyIsNotifiedInsideOfAnAppend() {
    Sql sql = new Sql("sluice");
    for (String append : List.of("one", "batch", "group")) {
      for (String draw : List.of("draw", "draw-alone", "draw-joined")) {
        Map<String, String> parts =
            Map.of("draw", sql.part(draw), "lock-timeout", "1ms", "messages", "");
        assertThat(sql.get(append, parts)).doesNotContainIgnoringCase("notify");
      }
    }
  }
}
