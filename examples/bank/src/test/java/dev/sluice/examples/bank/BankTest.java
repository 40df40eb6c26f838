package dev.sluice.examples.bank;

import static dev.sluice.examples.bank.account.Money.chf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.Position;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.examples.bank.account.Account.Status;
import dev.sluice.examples.bank.account.RefusedException;
import dev.sluice.examples.bank.transfer.Transfer;
import dev.sluice.examples.bank.transfer.Transfer.Stage;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class BankTest {

  private final InMemoryStorage storage = InMemoryStorage.create();
  private final Bank bank = new Bank(storage, JacksonSerializer.create());

  @Test
  void only_large_deposits_leave_and_nothing_private_with_them() {
    bank.open("1", "Anna", "756.1");
    bank.deposit("1", chf(9_999), "small");
    assertThat(storage.outbox().count(Position.START)).isZero();

    bank.deposit("1", chf(10_000), "from the violin");

    var messages = storage.outbox().read(Position.START, 10);
    assertThat(messages).hasSize(1);
    assertThat(messages.getFirst().message().type()).isEqualTo("bank.large-deposit-made");
    assertThat(messages.getFirst().message().data().toUtf8())
        .isEqualTo("{\"account\":\"1\",\"amountCents\":1000000,\"currency\":\"CHF\"}");
  }

  @Test
  void a_transfer_that_is_repeated_moves_nothing_twice() {
    bank.open("1", "Anna", "756.1");
    bank.open("2", "Ben", "756.2");
    bank.deposit("1", chf(100), "");
    UUID id = UUID.randomUUID();

    bank.transfer(id, "1", "2", chf(30));
    bank.transfer(id, "1", "2", chf(30));
    runTransfers(id);

    assertThat(bank.transfer(id)).isEqualTo(new Transfer(Stage.COMPLETED, ""));
    assertThat(bank.account("1").state().balance()).isEqualTo(chf(70));
    assertThat(bank.account("2").state().balance()).isEqualTo(chf(30));
  }

  @Test
  void a_transfer_to_a_closed_account_comes_back() {
    bank.open("1", "Anna", "756.1");
    bank.open("2", "Ben", "756.2");
    bank.close("2");
    bank.deposit("1", chf(100), "");
    UUID id = UUID.randomUUID();

    bank.transfer(id, "1", "2", chf(30));
    assertThat(bank.account("1").state().balance()).isEqualTo(chf(70));
    runTransfers(id);

    assertThat(bank.transfer(id))
        .isEqualTo(new Transfer(Stage.COMPENSATED, "The account is closed."));
    assertThat(bank.account("1").state().balance()).isEqualTo(chf(100));
    assertThat(bank.account("2").state().status()).isEqualTo(Status.CLOSED);
  }

  @Test
  void a_transfer_that_can_go_nowhere_says_so() {
    bank.open("1", "Anna", "756.1");
    bank.deposit("1", chf(30), "");
    UUID id = UUID.randomUUID();

    bank.transfer(id, "1", "nobody", chf(30));
    bank.close("1");
    runTransfers(id);

    assertThat(bank.transfer(id)).isEqualTo(new Transfer(Stage.STRANDED, "The account is closed."));
  }

  @Test
  void more_than_there_is_is_not_transferred() {
    bank.open("1", "Anna", "756.1");
    UUID id = UUID.randomUUID();
    assertThatThrownBy(() -> bank.transfer(id, "1", "2", chf(1)))
        .isInstanceOf(RefusedException.class)
        .hasMessage("There are 0.00 CHF in the account, not 1.00 CHF.");
    assertThat(bank.transfer(id).stage()).isEqualTo(Stage.UNKNOWN);
  }

  /** Until a transfer is over, in a process that is started for it. */
  private void runTransfers(UUID id) {
    try (Subscriptions subscriptions = Subscriptions.of(storage)) {
      subscriptions.start(bank.transfers());
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(90);
      while (!bank.transfer(id).isOver()) {
        assertThat(System.nanoTime()).as(() -> "" + subscriptions.status()).isLessThan(end);
        Thread.onSpinWait();
      }
    }
  }

  @Test
  void a_refusal_stores_nothing() {
    bank.open("1", "Anna", "756.1");
    assertThatThrownBy(() -> bank.withdraw("1", chf(1), "")).isInstanceOf(RefusedException.class);
    assertThat(bank.account("1").version()).isEqualTo(1);
  }
}
