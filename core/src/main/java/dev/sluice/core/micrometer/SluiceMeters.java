package dev.sluice.core.micrometer;

import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.SubscriptionListener;
import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.core.subscription.Subscriptions;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * The meters of a service; the module's README lists them. What comes from the store is asked for
 * when a registry reads a gauge, at most each 5 seconds, and is NaN while the store is away.
 *
 * <p>Tags are the categories of streams, and the names and partitions of subscriptions: never an
 * aggregate's id. Safe for use by any number of threads.
 */
public final class SluiceMeters implements SubscriptionListener {

  private final MeterRegistry registry;

  /** Meters in a registry. */
  public SluiceMeters(MeterRegistry registry) {
    this.registry = registry;
  }

  /** A storage that counts and times the appends that go through it. */
  public Storage measuring(Storage storage) {
    return storage.withEventStore(new MeasuringEventStore(storage.eventStore(), registry));
  }

  /**
   * Counts a command that has met a conflict and is decided again: give it to {@code
   * CommandHandler.Builder.onRetry}.
   */
  public void retried(StreamId stream) {
    Counter.builder("sluice.command.retries")
        .tag("category", stream.category())
        .register(registry)
        .increment();
  }

  /** Shows how far behind each partition of a subscription is, and what is parked or stopped. */
  public void watch(Subscriptions subscriptions, Subscription subscription) {
    Remembered<List<SubscriptionStatus>> status =
        new Remembered<>(() -> subscriptions.status(subscription.name()));
    for (int i = 0; i < subscription.partitions(); i++) {
      Tags tags = tags(subscription.name(), i);
      int index = i;
      gauge("sluice.subscription.lag", "events", tags, status, index, x -> (double) x.lagEvents());
      gauge(
          "sluice.subscription.lag.age",
          "seconds",
          tags,
          status,
          index,
          x -> x.lag().toMillis() / 1e3);
      gauge("sluice.subscription.parked", "streams", tags, status, index, x -> x.parked().size());
      gauge(
          "sluice.subscription.stopped",
          "partitions",
          tags,
          status,
          index,
          x -> x.state() == SubscriptionStatus.State.STOPPED ? 1 : 0);
    }
  }

  private void gauge(
      String name,
      String unit,
      Tags tags,
      Remembered<List<SubscriptionStatus>> status,
      int index,
      ToDoubleFunction<SubscriptionStatus> value) {
    Supplier<Number> now =
        () ->
            status
                .get()
                .flatMap(all -> all.stream().filter(x -> x.partition().index() == index).findAny())
                .map(value::applyAsDouble)
                .orElse(Double.NaN);
    Gauge.builder(name, now).tags(tags).baseUnit(unit).register(registry);
  }

  /** Shows how many messages of the outbox the slowest relay has not passed. */
  public void watchOutbox(Storage storage) {
    Remembered<Double> backlog =
        new Remembered<>(
            () -> {
              Position slowest =
                  storage.checkpoints().list(Outbox.RELAY_PREFIX).stream()
                      .map(Checkpoint::position)
                      .min(Position::compareTo)
                      .orElse(Position.START);
              return (double) storage.outbox().count(slowest);
            });
    Supplier<Number> now = () -> backlog.get().orElse(Double.NaN);
    Gauge.builder("sluice.outbox.backlog", now).baseUnit("messages").register(registry);
  }

  @Override
  public void handled(String subscription, int partition, int events, Duration time) {
    Timer.builder("sluice.subscription.handling")
        .tags(tags(subscription, partition))
        .register(registry)
        .record(time);
    Counter.builder("sluice.subscription.handled")
        .baseUnit("events")
        .tags(tags(subscription, partition))
        .register(registry)
        .increment(events);
  }

  @Override
  public void retrying(String subscription, int partition, int attempts, String error) {
    failure(subscription, partition, "retried");
  }

  @Override
  public void parked(String subscription, int partition, String error) {
    failure(subscription, partition, "parked");
  }

  @Override
  public void stopped(String subscription, int partition, String error) {
    failure(subscription, partition, "stopped");
  }

  private void failure(String subscription, int partition, String outcome) {
    Counter.builder("sluice.subscription.failures")
        .tags(tags(subscription, partition).and("outcome", outcome))
        .register(registry)
        .increment();
  }

  private static Tags tags(String subscription, int partition) {
    return Tags.of("subscription", subscription, "partition", Integer.toString(partition));
  }
}
