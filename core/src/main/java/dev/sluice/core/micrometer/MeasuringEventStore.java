package dev.sluice.core.micrometer;

import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/** Counts and times appends. */
final class MeasuringEventStore implements EventStore {

  private final EventStore store;
  private final MeterRegistry registry;

  MeasuringEventStore(EventStore store, MeterRegistry registry) {
    this.store = store;
    this.registry = registry;
  }

  @Override
  public AppendResult append(Append append) {
    Timer.Sample sample = Timer.start(registry);
    String outcome = "failed";
    try {
      AppendResult result = store.append(append);
      outcome = "stored";
      Counter.builder("sluice.events.appended")
          .tag("category", append.stream().category())
          .register(registry)
          .increment(append.events().size());
      return result;
    } catch (VersionConflictException e) {
      outcome = "conflict";
      throw e;
    } finally {
      sample.stop(
          Timer.builder("sluice.appends")
              .tag("category", append.stream().category())
              .tag("outcome", outcome)
              .register(registry));
    }
  }

  @Override
  public List<RecordedEvent> read(StreamId stream, StreamRange range) {
    return store.read(stream, range);
  }

  @Override
  public Optional<StoredEvent> find(UUID eventId) {
    return store.find(eventId);
  }
}
