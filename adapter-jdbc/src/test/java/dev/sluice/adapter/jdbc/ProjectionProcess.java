package dev.sluice.adapter.jdbc;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscriptions;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A process that runs a transactional projection, and stands still in the middle of a batch, to be
 * killed there.
 */
final class ProjectionProcess {

  static final String INSIDE = "inside a batch";
  static final FailurePolicy PATIENT =
      FailurePolicy.STOP.withAttempts(100, Duration.ofMillis(1), Duration.ofMillis(1));

  private ProjectionProcess() {}

  /** The database's URL, user and password, and at which event to stand still. */
  public static void main(String[] args) throws InterruptedException {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(args[0]);
    config.setUsername(args[1]);
    config.setPassword(args[2]);
    config.setMaximumPoolSize(4);
    config.setMinimumIdle(0);
    int standStillAt = Integer.parseInt(args[3]);
    AtomicInteger seen = new AtomicInteger();
    CountDownLatch never = new CountDownLatch(1);
    JdbcStorage storage = JdbcStorage.create(new HikariDataSource(config));
    var projection =
        BalancesView.projection(
            "balances",
            "balances",
            event -> {
              if (seen.incrementAndGet() == standStillAt) {
                System.out.println(INSIDE);
                try {
                  never.await();
                } catch (InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              }
            });
    Subscriptions.builder(storage)
        .leaseDuration(Duration.ofMillis(400))
        .build()
        .start(
            projection
                .subscription()
                .batchSize(40)
                .failures(PATIENT)
                .processor(JdbcProjections.transactional(storage, projection)));
    never.await();
  }
}
