package dev.sluice.core.subscription;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.subscription.PartitionState.Failing;
import dev.sluice.core.subscription.PartitionState.Replacement;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
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
                    "skip", failing.stream(), 2, "anna", "known\tbad", NOW)),
            Optional.of(new EventFilter(Set.of(), Set.of("opened", "closed\tor not"))));
    assertThat(PartitionState.decode("x", state.encode())).isEqualTo(state);
  }

  @Test
  void what_the_last_owner_did_not_read_is_named() {
    EventFilter opened = EventFilter.types("opened");
    PartitionState state = PartitionState.initial(1).withReads(opened);
    assertThat(PartitionState.initial(1).notReadBefore(opened)).isEmpty();
    assertThat(state.notReadBefore(opened)).isEmpty();
    assertThat(state.notReadBefore(EventFilter.types("opened", "closed", "blocked")))
        .isEqualTo("types [blocked, closed]");
    assertThat(state.notReadBefore(EventFilter.ALL)).isEqualTo("types [all]");
    assertThat(state.withReads(EventFilter.ALL).notReadBefore(opened)).isEmpty();
    assertThat(
            state
                .withReads(new EventFilter(Set.of("account"), Set.of("opened", "closed")))
                .notReadBefore(new EventFilter(Set.of("account", "card"), Set.of("opened"))))
        .isEqualTo("categories [card]");
  }

  private static Failing failing(String id, Optional<Replacement> replacement) {
    return new Failing(
        StreamId.of("doc", id), 2, new Position(9), 3, "no\nluck", NOW, true, replacement);
  }
}
