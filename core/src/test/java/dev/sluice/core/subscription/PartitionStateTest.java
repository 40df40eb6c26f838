package dev.sluice.core.subscription;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.subscription.PartitionState.Failing;
import dev.sluice.core.subscription.PartitionState.Replacement;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PartitionStateTest {

  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

  @Test
  void what_is_stored_is_read_back_also_data_that_is_no_text() {
    Replacement bytes = new Replacement("scanned", Payload.of(new byte[] {-54, -2, -128, 1}));
    Replacement nothing = new Replacement("emptied", Payload.EMPTY);
    Failing failing = failing("1", Optional.of(bytes));
    Failing parked = failing("2", Optional.of(nothing));
    Failing waiting = failing("3", Optional.empty());
    PartitionState state =
        new PartitionState(
            4,
            true,
            7,
            Optional.of(failing),
            true,
            Map.of(parked.stream(), parked, waiting.stream(), waiting),
            List.of(
                new SubscriptionStatus.Decision(
                    "skip", failing.stream(), 2, "anna", "known\tbad", NOW)));
    assertThat(PartitionState.decode("x", state.encode())).isEqualTo(state);
  }

  private static Failing failing(String id, Optional<Replacement> replacement) {
    return new Failing(
        StreamId.of("doc", id), 2, new Position(9), 3, "no\nluck", NOW, true, replacement);
  }
}
