package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.testservers.PostgresServer;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What ten subscriptions cost that have nothing to do. */
class IdleCostTest {

  private static final int SUBSCRIPTIONS = 10;
  private static final int SECONDS = 5;
  private static final int STATEMENTS_PER_SECOND = 6;
  private static final Duration BOUND = Duration.ofSeconds(90);

  private final AtomicInteger statements = new AtomicInteger();

  @Test
  void tenIdleSubscriptionsShareTwoConnectionsAndAFewStatementsASecond() throws Exception {
    try (HikariDataSource pool = PostgresFixture.pool(PostgresServer.shared().newDatabase(), 2);
        JdbcStorage storage = JdbcStorage.create(counting(DataSource.class, pool));
        Subscriptions running = Subscriptions.of(storage)) {
      AtomicInteger handled = new AtomicInteger();
      for (int i = 0; i < SUBSCRIPTIONS; i++) {
        running.start(Subscription.named("s" + i).handler(event -> handled.incrementAndGet()));
      }
      append(storage, running);
      // The last saves of checkpoints, which come up to a second later.
      assertThat(new CountDownLatch(1).await(2, TimeUnit.SECONDS)).isFalse();
      int before = statements.get();
      assertThat(new CountDownLatch(1).await(SECONDS, TimeUnit.SECONDS)).isFalse();
      int idle = statements.get() - before;
      System.out.println(
          SUBSCRIPTIONS + " idle subscriptions: " + idle + " statements in " + SECONDS + " s");
      assertThat(idle).as("the readers do look").isGreaterThanOrEqualTo(2);
      assertThat(idle).isLessThanOrEqualTo(STATEMENTS_PER_SECOND * SECONDS);
      append(storage, running);
      assertThat(handled).as("and all of them live").hasValue(2 * SUBSCRIPTIONS);
    }
  }

  private static void append(JdbcStorage storage, Subscriptions running) {
    AppendResult result =
        storage
            .eventStore()
            .append(StreamId.of("account", "1"), ExpectedVersion.any(), List.of(Events.event(0)));
    for (int i = 0; i < SUBSCRIPTIONS; i++) {
      assertThat(running.await("s" + i, result.position(), BOUND)).as("s%s", i).isTrue();
    }
  }

  /** Counts what is sent to the server: all executions of all statements of all connections. */
  private <T> T counting(Class<T> type, Object target) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> counted(target, method, arguments)));
  }

  private @Nullable Object counted(Object target, Method method, @Nullable Object[] arguments)
      throws Throwable {
    try {
      if (target instanceof Statement && method.getName().startsWith("execute")) {
        statements.incrementAndGet();
      }
      Object result = method.invoke(target, arguments);
      if (!method.getName().equals("unwrap")
          && (result instanceof Connection || result instanceof Statement)) {
        return counting(method.getReturnType(), result);
      }
      return result;
    } catch (InvocationTargetException e) {
      throw Objects.requireNonNull(e.getCause());
    }
  }
}
