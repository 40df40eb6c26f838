package dev.sluice.publisher;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * Meters of a relay: {@code sluice.relay.published}, {@code sluice.relay.failures}, and gauges
 * {@code sluice.relay.backlog} (messages), {@code sluice.relay.behind} (seconds), {@code
 * sluice.relay.parked} (keys) and {@code sluice.relay.stopped} (0 or 1), tagged with relay and
 * lane.
 */
final class MicrometerMeters implements RelayMeters {
  private final MeterRegistry registry;
  private final String relay;
  private final AtomicReference<List<LaneStatus>> last = new AtomicReference<>(List.of());
  private int bound;

  MicrometerMeters(MeterRegistry registry, String relay) {
    this.registry = registry;
    this.relay = relay;
  }

  @Override
  public synchronized void bind(int lanes) {
    for (; bound < lanes; bound++) {
      int lane = bound;
      gauge("sluice.relay.backlog", lane, "messages", LaneStatus::backlog);
      gauge("sluice.relay.behind", lane, "seconds", status -> status.behind().toMillis() / 1000.0);
      gauge("sluice.relay.parked", lane, "keys", status -> status.parked().size());
      gauge(
          "sluice.relay.stopped",
          lane,
          "lanes",
          status -> status.condition() == LaneStatus.Condition.STOPPED ? 1 : 0);
    }
  }

  private void gauge(String name, int lane, String unit, ToDoubleFunction<LaneStatus> value) {
    Supplier<Number> current =
        () -> {
          Optional<LaneStatus> status =
              last.get().stream().filter(s -> s.lane() == lane).findFirst();
          return status.map(value::applyAsDouble).orElse(Double.NaN);
        };
    Gauge.builder(name, current).tags(tags(lane)).baseUnit(unit).register(registry);
  }

  @Override
  public boolean wantsStatus() {
    return true;
  }

  @Override
  public void status(List<LaneStatus> status) {
    last.set(status);
    // Lanes that were added since, by whichever process.
    bind(status.size());
  }

  @Override
  public void published(int lane, int messages) {
    Counter.builder("sluice.relay.published")
        .baseUnit("messages")
        .tags(tags(lane))
        .register(registry)
        .increment(messages);
  }

  @Override
  public void failed(int lane) {
    Counter.builder("sluice.relay.failures").tags(tags(lane)).register(registry).increment();
  }

  private Tags tags(int lane) {
    return Tags.of("relay", relay, "lane", Integer.toString(lane));
  }
}
