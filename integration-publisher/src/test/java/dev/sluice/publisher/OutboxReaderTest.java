package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Storage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OutboxReaderTest {
  private static final int MAX_BYTES = 100_000;
  private static final int LARGE = 10_000;

  private final InMemoryStorage storage = InMemoryStorage.create();

  private RelaySettings settings() {
    return settings("r", storage, storage.checkpoints(), new Nowhere(), Duration.ofSeconds(1));
  }

  /** Of a relay with one lane, which prunes nothing. */
  static RelaySettings settings(
      String name,
      Storage storage,
      CheckpointStore checkpoints,
      MessagePublisher publisher,
      Duration leaseDuration) {
    return new RelaySettings(
        name,
        "o",
        storage.outbox(),
        checkpoints,
        storage.leases(),
        publisher,
        new ControlLog(checkpoints, name),
        RelayMeters.NONE,
        1,
        1_000,
        MAX_BYTES,
        Duration.ofMillis(5),
        Duration.ofMillis(100),
        leaseDuration,
        PoisonPolicy.STOP_LANE,
        3,
        100,
        false);
  }

  private record Nowhere() implements MessagePublisher {
    @Override
    public Lane open(String relay, int lane) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
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
}
