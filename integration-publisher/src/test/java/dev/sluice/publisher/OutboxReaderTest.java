package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.Position;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class OutboxReaderTest {
  private static final int MAX_BYTES = 100_000;
  private static final int LARGE = 10_000;

  private final InMemoryStorage storage = InMemoryStorage.create();

  private RelaySettings settings() {
    return settings(storage.outbox());
  }

  private RelaySettings settings(Outbox outbox) {
    return Relay.builder("r", outbox, storage.checkpoints(), storage.leases(), new Nowhere())
        .maxBatchMessages(1_000)
        .maxBatchBytes(MAX_BYTES)
        .settings();
  }

  private record Nowhere() implements MessagePublisher {
    @Override
    public Lane open(String relay, int lane) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }

  /** Another outbox from the second read on. */
  private static Outbox failingOver(Outbox first, Outbox second) {
    AtomicInteger reads = new AtomicInteger();
    return (Outbox)
        Proxy.newProxyInstance(
            Outbox.class.getClassLoader(),
            new Class<?>[] {Outbox.class},
            (proxy, method, args) ->
                method.invoke(reads.getAndIncrement() == 0 ? first : second, args));
  }

  @Test
  void aPageIsOfOneOutbox() {
    InMemoryStorage replica = InMemoryStorage.create();
    for (int i = 0; i < 150; i++) {
      Messages.append(storage, "t", "k", "" + i);
      Messages.append(replica, "t", "k", "" + i);
    }
    RelaySettings settings =
        Relay.builder(
                "r",
                failingOver(storage.outbox(), replica.outbox()),
                storage.checkpoints(),
                storage.leases(),
                new Nowhere())
            .settings();
    OutboxReader reader = new OutboxReader(settings, Runnable::run);
    assertThatThrownBy(() -> reader.read(Position.START)).isInstanceOf(OutOfStepException.class);
  }

  @Test
  void largeMessagesBehindManySmallOnesComeInSmallPages() {
    for (int i = 0; i < 2_000; i++) {
      Messages.append(storage, "t", "k", "" + i);
    }
    for (int i = 0; i < 500; i++) {
      Messages.append(storage, "t", "k", "x".repeat(LARGE));
    }
    OutboxReader reader = new OutboxReader(settings(), Runnable::run);
    List<Integer> sizes = new ArrayList<>();
    int read = 0;
    Position after = Position.START;
    for (List<OutboxMessage> page = reader.read(after);
        !page.isEmpty();
        page = reader.read(after)) {
      sizes.add(page.size());
      // A hundred may be on their way before it is known how large they are.
      assertThat(page.stream().mapToInt(m -> m.message().data().size()).sum())
          .isLessThanOrEqualTo(MAX_BYTES + 100 * LARGE);
      read += page.size();
      after = page.get(page.size() - 1).position();
    }
    assertThat(read).isEqualTo(2_500);
    assertThat(sizes).startsWith(1_000, 1_000).endsWith(10);
    assertThat(sizes).hasSizeLessThan(60);
  }

  @Test
  void whatIsReadBeforeAnybodyKnowsHowLargeItIsAreFewMessages() {
    AtomicLong most = new AtomicLong();
    OutboxReader reader =
        new OutboxReader(settings(measured(storage.outbox(), most)), Runnable::run);
    Position after = Position.START;
    for (int burst = 0; burst < 2; burst++) {
      // Small ones, so that it is read by the hundred; and when all is read, large ones.
      after = readAll(reader, after, 500, "x");
      most.set(0);
      after = readAll(reader, after, 100, "x".repeat(9 * MAX_BYTES / 10));
      assertThat(most).hasValueLessThan(4L * MAX_BYTES);
    }
  }

  private Position readAll(OutboxReader reader, Position from, int count, String data) {
    for (int i = 0; i < count; i++) {
      Messages.append(storage, "t", "k", data);
    }
    Position after = from;
    int read = 0;
    for (List<OutboxMessage> page = reader.read(after);
        !page.isEmpty();
        page = reader.read(after)) {
      read += page.size();
      after = page.get(page.size() - 1).position();
    }
    assertThat(read).isEqualTo(count);
    return after;
  }

  /** Tells the bytes of the largest read. */
  private static Outbox measured(Outbox outbox, AtomicLong most) {
    return new ForwardingOutbox(() -> outbox) {
      @Override
      public List<OutboxMessage> read(Position after, int limit) {
        List<OutboxMessage> found = super.read(after, limit);
        most.accumulateAndGet(
            found.stream().mapToLong(m -> m.message().data().size()).sum(), Math::max);
        return found;
      }
    };
  }
}
