package dev.sluice.adapter.inmemory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.micrometer.SluiceMeters;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.core.translation.Translation;
import dev.sluice.core.translation.Translator;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The meters after a real run: commands, a conflict, a subscription that retries and parks. */
@Timeout(60)
class SluiceMetersTest {

  @EventType("counted")
  record Counted(long by) implements DomainEvent {}

  @EventType("counts.counted")
  record Published(long by) implements IntegrationEvent {}

  private final InMemoryStorage memory = InMemoryStorage.create();
  private final MeterRegistry registry = new SimpleMeterRegistry();
  private final SluiceMeters meters = new SluiceMeters(registry);
  private final Storage storage = meters.measuring(memory);

  @Test
  void showWhatHappened() {
    AtomicInteger interruptions = new AtomicInteger(1);
    var elsewhere = handler(memory, () -> {});
    var here =
        handler(
            storage,
            () -> {
              if (interruptions.getAndDecrement() > 0) {
                elsewhere.handle("1", 5L);
              }
            });
    CommandResult<Long, Counted> result = here.handle("1", 1L);
    assertThat(result.conflicts()).isEqualTo(1);
    assertThatThrownBy(() -> here.handle("1", -1L)).hasMessage("too little");
    here.handle("2", 7L);

    assertThat(appends("stored")).isEqualTo(2);
    assertThat(appends("conflict")).isEqualTo(1);
    assertThat(counter("sluice.events.appended", "category", "count")).isEqualTo(2);
    assertThat(counter("sluice.command.retries", "category", "count")).isEqualTo(1);

    Subscription subscription =
        Subscription.named("all")
            .failures(
                FailurePolicy.PARK.withAttempts(2, Duration.ofMillis(1), Duration.ofMillis(1)))
            .handler(
                event -> {
                  if (event.stream().id().equals("2")) {
                    throw new IllegalArgumentException("poison");
                  }
                });
    meters.watchOutbox(memory);
    memory
        .checkpoints()
        .save(Checkpoint.first(Outbox.RELAY_PREFIX + "x", Position.START, Payload.EMPTY, 0));
    try (Subscriptions running = Subscriptions.builder(storage).listener(meters).build()) {
      running.start(subscription);
      Position last = here.handle("1", 1L).position();
      assertThat(running.await("all", last, Duration.ofSeconds(30))).isTrue();
      meters.watch(running, subscription);
      assertThat(gauge("sluice.subscription.lag")).isZero();
      assertThat(gauge("sluice.subscription.lag.age")).isZero();
      assertThat(gauge("sluice.subscription.parked")).isEqualTo(1);
      assertThat(gauge("sluice.subscription.stopped")).isZero();
      assertThat(registry.get("sluice.outbox.backlog").gauge().value())
          .as("one message for each of four events, and a relay that has passed none")
          .isEqualTo(4);
    }
    // After the close, since a subscription tells its listeners only when its checkpoint is saved.
    assertThat(counter("sluice.subscription.handled", "subscription", "all")).isEqualTo(3);
    assertThat(registry.get("sluice.subscription.handling").timer().totalTime(TimeUnit.NANOSECONDS))
        .isPositive();
    assertThat(counter("sluice.subscription.failures", "outcome", "retried")).isEqualTo(1);
    assertThat(counter("sluice.subscription.failures", "outcome", "parked")).isEqualTo(1);
    memory.close();
    MeterRegistry later = new SimpleMeterRegistry();
    new SluiceMeters(later).watchOutbox(memory);
    assertThat(later.get("sluice.outbox.backlog").gauge().value()).as("no store").isNaN();
  }

  private long appends(String outcome) {
    return registry
        .get("sluice.appends")
        .tag("category", "count")
        .tag("outcome", outcome)
        .timer()
        .count();
  }

  private double counter(String name, String tag, String value) {
    return registry.get(name).tag(tag, value).counter().count();
  }

  private double gauge(String name) {
    return registry.get(name).tag("subscription", "all").tag("partition", "0").gauge().value();
  }

  private CommandHandler<Long, Long, Counted> handler(Storage on, Runnable beforeDecision) {
    return CommandHandler.builder(
            on,
            EventCodec.of(EventTypes.<DomainEvent>of(Counted.class), JacksonSerializer.create()),
            "count",
            Counted.class,
            new Count(beforeDecision))
        .translation(
            Translation.of(
                Translator.builder()
                    .one(Counted.class, counted -> new Published(counted.by()))
                    .build(),
                EventTypes.<IntegrationEvent>of(Published.class),
                JacksonSerializer.create()))
        .onRetry(meters::retried)
        .build();
  }

  private record Count(Runnable beforeDecision) implements Decider<Long, Long, Counted> {

    @Override
    public Long initial() {
      return 0L;
    }

    @Override
    public Long evolve(Long state, Counted event) {
      return state + event.by();
    }

    @Override
    public List<Counted> decide(Long by, Long state) {
      beforeDecision.run();
      if (by < 0) {
        throw new IllegalArgumentException("too little");
      }
      return List.of(new Counted(by));
    }
  }
}
