package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Decisions that can't be meant are refused, with what there is instead. */
class RelayControlTest {
  private final InMemoryStorage storage = InMemoryStorage.create();

  private RelayControl control(String relay) {
    return new RelayControl(relay, storage.outbox(), storage.checkpoints(), storage.leases());
  }

  private void save(String checkpoint, LaneReport report) {
    storage.checkpoints().save(Checkpoint.first(checkpoint, Position.START, report.toPayload(), 0));
  }

  private static LaneReport report(LaneState state) {
    return new LaneReport(Position.START, Optional.of(state), Optional.empty());
  }

  private RefusedMessage refused(String key) {
    Messages.append(storage, "bank.deposit", key, "{}");
    List<OutboxMessage> all = storage.outbox().read(Position.START, 100);
    return RefusedMessage.of(all.get(all.size() - 1), "too large", 3);
  }

  @Test
  void aRestartBeyondTheOutboxIsRefused() {
    save("relay/bank/0", report(LaneState.initial(1)));
    Messages.append(storage, "bank.deposit", "a", "{}");
    Position head = storage.outbox().head();
    Position beyond = new Position(head.value() * 10);
    assertThatThrownBy(() -> control("bank").restart(0, beyond, "ada", "typo"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(beyond.toString())
        .hasMessageContaining("ends at " + head);
    control("bank").restart(0, head, "ada", "consumers have all");
    assertThat(control("bank").decisions()).hasSize(1);
  }

  @Test
  void aRestartOfALaneThatIsNotThereIsRefused() {
    save("relay/bank/0", report(LaneState.initial(2)));
    assertThatThrownBy(() -> control("bank").restart(7, Position.START, "ada", "typo"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no lane 7")
        .hasMessageContaining("[0, 1]");
    // Whoever holds a lane's lease may find that the two sides don't fit together.
    assertThat(storage.leases().acquire("relay/bank/2", "another", Duration.ofMinutes(5)))
        .isPresent();
    control("bank").restart(2, Position.START, "ada", "consumers have nothing");
    assertThat(control("bank").decisions()).hasSize(1);
  }

  /** It would be forgotten: a lane that begins carries nothing out that was decided before. */
  @Test
  void aRestartOfALaneThatHasNotBegunIsRefused() {
    save("relay/bank/0", report(LaneState.initial(2)));
    save("relay/bank/1", new LaneReport(Position.START, Optional.empty(), Optional.empty()));
    assertThatThrownBy(() -> control("bank").restart(1, Position.START, "ada", "too early"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("has not begun");
  }

  @Test
  void aDecisionAboutAMessageThatDoesNotWaitForOneIsRefused() {
    RefusedMessage stops = refused("a");
    RefusedMessage parks = refused("b");
    save("relay/bank/0", report(LaneState.initial(2).withStopped(stops)));
    save(
        "relay/bank/1",
        report(
            LaneState.initial(2)
                .withParked(List.of(new LaneState.Parked(parks, Position.START, 1, false)))));
    UUID other = UUID.randomUUID();
    assertThatThrownBy(() -> control("bank").skip(other, "ada", "typo"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(other.toString())
        .hasMessageContaining(stops.id().toString())
        .hasMessageContaining(parks.id().toString());
    assertThatThrownBy(() -> control("bank").resume(other, "ada", "typo"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> control("bank").replace(other, "t", "{}", "ada", "typo"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> control("bank").replace(stops.id(), "", "{}", "ada", "no type"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("type");
    control("bank").skip(stops.id(), "ada", "test data");
    control("bank").resume(parks.id(), "ada", "limit raised");
    assertThat(control("bank").decisions()).hasSize(2);
  }

  @Test
  void aRelayWhoseNameIsMistypedIsNotForgotten() {
    save("relay/bank/0", report(LaneState.initial(1)));
    save("relay/audit/0", report(LaneState.initial(1)));
    assertThatThrownBy(() -> control("bnak").forget())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("bnak")
        .hasMessageContaining("[audit, bank]");
    assertThatThrownBy(() -> control("bnak").restart(0, Position.START, "ada", "typo"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[audit, bank]");
  }

  @Test
  void nothingIsLeftOfARelayThatIsForgotten() {
    save("relay/bank/0", report(LaneState.initial(1)));
    save("relay/bank-2/0", report(LaneState.initial(1)));
    control("bank").restart(0, Position.START, "ada", "of long ago");
    control("bank-2").restart(0, Position.START, "ada", "another relay's");
    for (String guard : List.of("relay/restart:bank/0", "relay/change:bank")) {
      storage.checkpoints().save(Checkpoint.first(guard, Position.START, Payload.EMPTY, 0));
    }
    control("bank").forget();
    assertThat(storage.checkpoints().list(Outbox.RELAY_PREFIX))
        .extracting(Checkpoint::name)
        .containsExactly("relay/bank-2/0");
    assertThat(control("bank").decisions()).isEmpty();
    assertThat(control("bank-2").decisions()).hasSize(1);
    // What is left of one that broke off on the way can be forgotten, too.
    storage
        .checkpoints()
        .save(Checkpoint.first("relay/restart:bank/0", Position.START, Payload.EMPTY, 0));
    assertThatCode(() -> control("bank").forget()).doesNotThrowAnyException();
    assertThat(storage.checkpoints().list("relay/restart:")).isEmpty();
  }
}
