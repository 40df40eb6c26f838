package dev.sluice.tck;

import dev.sluice.core.Payload;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.LaneFencedException;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.MessageRefusedException;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A broker in memory that keeps all promises; its parts are what a mutant replaces. */
class InMemoryBroker implements PublisherFixture {

  static final int MAX_BYTES = 1_000;

  final List<IntegrationMessage> log = new ArrayList<>();
  final Map<String, Progress> progress = new HashMap<>();
  final Map<String, Integer> owners = new HashMap<>();

  @Override
  public String adapter() {
    return "a broker in memory";
  }

  @Override
  public MessagePublisher open() {
    return new MessagePublisher() {
      @Override
      public Lane open(String relay, int lane) {
        return take(name(relay, lane));
      }

      @Override
      public void close() {}
    };
  }

  private OwnedLane take(String name) {
    synchronized (this) {
      return new OwnedLane(name, owners.merge(name, 1, Integer::sum), progress.get(name));
    }
  }

  String name(String relay, int lane) {
    return relay + "/" + lane;
  }

  /** A lane of one owner. */
  final class OwnedLane implements MessagePublisher.Lane {

    final String name;
    final int epoch;
    private final @Nullable Progress atOpening;

    OwnedLane(String name, int epoch, @Nullable Progress atOpening) {
      this.name = name;
      this.epoch = epoch;
      this.atOpening = atOpening;
    }

    @Override
    public Optional<Progress> progress() {
      return Optional.ofNullable(atOpening);
    }

    @Override
    public void publish(List<OutboxMessage> messages, Progress reached) {
      synchronized (InMemoryBroker.this) {
        InMemoryBroker.this.publish(this, messages, reached);
      }
    }

    @Override
    public void close() {
      closed(this);
    }
  }

  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
    refuseStale(lane);
    messages.forEach(this::refuseLarge);
    messages.forEach(message -> log.add(message.message()));
    progress.put(lane.name, reached);
  }

  void refuseStale(OwnedLane lane) {
    if (owners.getOrDefault(lane.name, 0) != lane.epoch) {
      throw new LaneFencedException(lane.name + " has a newer owner", new IllegalStateException());
    }
  }

  void refuseLarge(OutboxMessage message) {
    if (message.message().data().size() > MAX_BYTES) {
      throw new MessageRefusedException(message, "it has more than " + MAX_BYTES + " bytes");
    }
  }

  void closed(OwnedLane lane) {}

  @Override
  public synchronized List<IntegrationMessage> consume(int atLeast) {
    return List.copyOf(log);
  }

  @Override
  public Optional<IntegrationMessage> refusedMessage() {
    IntegrationMessage m = Given.message("k", "");
    return Optional.of(
        new IntegrationMessage(
            m.id(),
            m.type(),
            m.key(),
            m.subject(),
            m.time(),
            Payload.of(new byte[MAX_BYTES + 1]),
            m.correlationId(),
            m.causationId()));
  }

  @Override
  public void close() {}
}
