package dev.sluice.examples.bank.balances;

import static dev.sluice.examples.bank.account.Money.chf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.bank.balances.Balances.Balance;
import dev.sluice.examples.bank.balances.Balances.Total;
import dev.sluice.testservers.PostgresServer;
import java.time.Duration;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class BalancesTest {

  @Test
  void a_table_shows_what_the_accounts_hold() {
    try (JdbcStorage storage =
        JdbcStorage.create(PostgresServer.shared().newDatabase().dataSource())) {
      Bank bank = bank(storage);
      Balances balances = new PostgresBalances(storage, bank.codec(), "balances-v1");
      fill(storage, balances);
      assertIsRight(balances);
      balances.drop();
      assertThat(new PostgresBalances(storage, bank.codec(), "balances-v1").total())
          .isEqualTo(new Total(0, chf(0)));
    }
  }

  @Test
  void a_map_shows_the_same_also_when_all_events_come_twice() {
    try (InMemoryStorage storage = InMemoryStorage.create()) {
      Balances balances = new InMemoryBalances(bank(storage).codec(), "balances-v1");
      fill(storage, balances);
      assertIsRight(balances);

      storage.checkpoints().delete("subscription/balances-v1/0");
      fill(storage, balances);
      assertIsRight(balances);
    }
  }

  private static Bank bank(Storage storage) {
    Bank bank = new Bank(storage, JacksonSerializer.create());
    bank.open("1", "Anna", "756.1");
    bank.open("2", "Ben", "756.2");
    bank.deposit("1", chf(100), "");
    bank.withdraw("1", chf(10), "");
    bank.transfer(UUID.randomUUID(), "1", "2", chf(30));
    bank.close("2");
    return bank;
  }

  private static void fill(Storage storage, Balances balances) {
    try (Subscriptions subscriptions = Subscriptions.of(storage)) {
      subscriptions.start(balances.subscription());
      var head = storage.globalLog().status().head();
      assertThat(subscriptions.await(balances.name(), head, Duration.ofSeconds(90))).isTrue();
    }
  }

  private static void assertIsRight(Balances balances) {
    assertThat(balances.find("1")).contains(new Balance("Anna", chf(60), 3));
    assertThat(balances.find("2")).contains(new Balance("Ben", chf(0), 0));
    assertThat(balances.find("3")).isEmpty();
    assertThat(balances.total()).isEqualTo(new Total(2, chf(60)));
  }
}
