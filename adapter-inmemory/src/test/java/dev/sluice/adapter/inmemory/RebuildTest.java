package dev.sluice.adapter.inmemory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.Payload;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.projection.ProjectionVersions;
import dev.sluice.core.projection.Rebuild;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.subscription.EventHandler;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.core.subscription.Subscriptions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A view that is made anew while something fails. */
@Timeout(60)
class RebuildTest {

  private static final Duration BOUND = Duration.ofSeconds(30);
  private static final StreamId STREAM = StreamId.of("account", "1");

  private final InMemoryStorage storage = InMemoryStorage.create();
  private final ProjectionVersions versions = new ProjectionVersions(storage);
  private final Subscriptions subscriptions =
      Subscriptions.builder(storage).leaseDuration(Duration.ofMillis(400)).build();

  @AfterEach
  void close() {
    subscriptions.close();
    storage.close();
  }

  @Test
  void U5_aViewThatLacksTheEventsOfAParkedStreamDoesNotTakeOver() {
    append(3);
    Rebuild rebuild =
        rebuild(
            FailurePolicy.PARK,
            event -> {
              if (event.version() == 2) {
                throw new IllegalArgumentException("poison");
              }
            });
    assertThat(rebuild.await(Duration.ofSeconds(2))).as("it waits for a person").isFalse();
    assertThat(rebuild.progress().heldUpBy())
        .contains("account-1 is parked at version 2", "poison");
    assertThat(versions.active("view")).isEmpty();
    subscriptions.skip("view:2", STREAM, "anna", "known bad");
    assertThat(rebuild.await(BOUND)).isTrue();
    assertThat(rebuild.progress().heldUpBy()).isEmpty();
    assertThat(versions.active("view")).contains("view:2");
  }

  @Test
  void U5_oneThatHasStoppedSaysSoAndCanBeGivenUp() {
    append(1);
    Rebuild rebuild =
        rebuild(
            FailurePolicy.STOP,
            event -> {
              throw new IllegalArgumentException("poison");
            });
    long until = System.nanoTime() + BOUND.toNanos();
    while (rebuild.progress().heldUpBy().isEmpty()) {
      assertThat(System.nanoTime()).isLessThan(until);
    }
    assertThat(rebuild.progress()).asString().contains("held up: stopped at account-1, version 1");
    rebuild.stop();
    assertThatThrownBy(() -> rebuild.await(BOUND)).hasStackTraceContaining("it was stopped");
    assertThat(subscriptions.status()).isEmpty();
    assertThat(versions.active("view")).isEmpty();
  }

  @Test
  void U5_theRateOfOneThatGoesOnCountsWhatWasDoneSinceThen() throws Exception {
    append(1_000);
    Rebuild first = rebuild(FailurePolicy.STOP, event -> {});
    assertThat(first.await(BOUND)).isTrue();
    first.stop();
    append(10);
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    Rebuild second =
        rebuild(
            FailurePolicy.STOP,
            event -> {
              inside.countDown();
              try {
                assertThat(goOn.await(30, TimeUnit.SECONDS)).isTrue();
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    assertThat(inside.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(second.progress().done()).isEqualTo(1_000);
    assertThat(second.progress().eventsPerSecond()).isZero();
    assertThat(second.progress().timeLeft()).isEmpty();
    goOn.countDown();
    assertThat(second.await(BOUND)).isTrue();
  }

  private Rebuild rebuild(FailurePolicy failures, EventHandler handler) {
    return versions.rebuild(
        "view",
        "view:2",
        subscriptions,
        Subscription.named("view:2")
            .failures(failures.withAttempts(2, Duration.ofMillis(1), Duration.ofMillis(1)))
            .handler(handler),
        EventFilter.ALL);
  }

  private void append(int events) {
    storage
        .eventStore()
        .append(
            STREAM,
            ExpectedVersion.any(),
            IntStream.range(0, events)
                .mapToObj(
                    i ->
                        new NewEvent(
                            EventIds.next(),
                            "deposited",
                            Instant.now(),
                            Payload.ofUtf8("{}"),
                            Payload.EMPTY,
                            List.of()))
                .toList());
  }
}
