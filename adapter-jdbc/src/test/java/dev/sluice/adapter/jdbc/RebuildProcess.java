package dev.sluice.adapter.jdbc;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.projection.ProjectionVersions;
import dev.sluice.core.projection.Rebuild;
import dev.sluice.core.subscription.Subscriptions;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryType;
import java.time.Duration;

/** A process with a small heap that makes a view anew, and says how far it is. */
final class RebuildProcess {

  private RebuildProcess() {}

  /** The database's URL, user and password. */
  public static void main(String[] args) {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(args[0]);
    config.setUsername(args[1]);
    config.setPassword(args[2]);
    config.setMaximumPoolSize(5);
    try (HikariDataSource pool = new HikariDataSource(config);
        JdbcStorage storage = JdbcStorage.create(pool);
        Subscriptions subscriptions = Subscriptions.of(storage)) {
      var projection = BalancesView.projection("balances:v2", "balances_v2", event -> {});
      Rebuild rebuild =
          new ProjectionVersions(storage)
              .rebuild(
                  "balances",
                  "balances_v2",
                  subscriptions,
                  projection
                      .subscription()
                      .processor(JdbcProjections.transactional(storage, projection)),
                  projection.filter());
      do {
        System.out.println(rebuild.progress());
      } while (!rebuild.await(Duration.ofMillis(500)));
      System.out.println(rebuild.progress());
    }
    long peak =
        ManagementFactory.getMemoryPoolMXBeans().stream()
            .filter(memory -> memory.getType() == MemoryType.HEAP)
            .mapToLong(memory -> memory.getPeakUsage().getUsed())
            .sum();
    System.out.printf(
        "heap: at most %d MB of %d MB%n", peak >> 20, Runtime.getRuntime().maxMemory() >> 20);
  }
}
