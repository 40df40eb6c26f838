package dev.sluice.examples.bank.account;

import static dev.sluice.examples.bank.account.Money.chf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.examples.bank.account.AccountCommand.Close;
import dev.sluice.examples.bank.account.AccountCommand.Deposit;
import dev.sluice.examples.bank.account.AccountCommand.Open;
import dev.sluice.examples.bank.account.AccountCommand.Send;
import dev.sluice.examples.bank.account.AccountCommand.Withdraw;
import dev.sluice.examples.bank.account.AccountEvent.Closed;
import dev.sluice.examples.bank.account.AccountEvent.Deposited;
import dev.sluice.examples.bank.account.AccountEvent.Opened;
import dev.sluice.examples.bank.account.AccountEvent.Sent;
import dev.sluice.examples.bank.account.AccountEvent.Withdrawn;
import java.util.List;
import org.junit.jupiter.api.Test;

class AccountTest {

  private static final Opened OPENED = new Opened("Anna", "756");

  @Test
  void a_new_account_is_opened() {
    given().when(new Open("Anna", "756")).then(OPENED);
  }

  @Test
  void an_account_is_opened_once() {
    given(OPENED).when(new Open("Ben", "757")).refused("The account is already there.");
  }

  @Test
  void a_deposit_raises_the_balance() {
    given(OPENED, new Deposited(chf(40), chf(40), ""))
        .when(new Deposit(chf(2), "coins"))
        .then(new Deposited(chf(2), chf(42), "coins"));
  }

  @Test
  void a_withdrawal_may_take_all_there_is() {
    given(OPENED, new Deposited(chf(42), chf(42), ""))
        .when(new Withdraw(chf(42), "rent"))
        .then(new Withdrawn(chf(42), chf(0), "rent"));
  }

  @Test
  void a_withdrawal_takes_no_more_than_there_is() {
    given(OPENED, new Deposited(chf(42), chf(42), ""))
        .when(new Withdraw(chf(43), "rent"))
        .refused("There are 42.00 CHF in the account, not 43.00 CHF.");
  }

  @Test
  void what_is_sent_has_left_the_account() {
    given(OPENED, new Deposited(chf(42), chf(42), ""))
        .when(new Send("t1", "1", "2", chf(40)))
        .then(new Sent("t1", "1", "2", chf(40), chf(2)));
    given(OPENED, new Sent("t1", "1", "2", chf(40), chf(2)))
        .when(new Send("t2", "1", "2", chf(3)))
        .refused("There are 2.00 CHF in the account, not 3.00 CHF.");
  }

  @Test
  void nothing_is_no_amount() {
    given(OPENED).when(new Deposit(chf(0), "")).refused("An amount must be greater than zero.");
    given(OPENED).when(new Withdraw(chf(0), "")).refused("An amount must be greater than zero.");
    given(OPENED)
        .when(new Send("t1", "1", "2", chf(0)))
        .refused("An amount must be greater than zero.");
  }

  @Test
  void only_an_empty_account_is_closed() {
    given(OPENED).when(new Close()).then(new Closed());
    given(OPENED, new Deposited(chf(1), chf(1), ""))
        .when(new Close())
        .refused("There are still 1.00 CHF in the account.");
  }

  @Test
  void an_account_that_is_not_there_takes_and_gives_nothing() {
    given().when(new Deposit(chf(1), "")).refused("There is no such account.");
    given().when(new Withdraw(chf(1), "")).refused("There is no such account.");
    given().when(new Close()).refused("There is no such account.");
  }

  @Test
  void a_closed_account_takes_and_gives_nothing() {
    given(OPENED, new Closed()).when(new Deposit(chf(1), "")).refused("The account is closed.");
    given(OPENED, new Closed()).when(new Withdraw(chf(1), "")).refused("The account is closed.");
    given(OPENED, new Closed()).when(new Close()).refused("The account is closed.");
  }

  private static Given given(AccountEvent... events) {
    Account account = Account.DECIDER.initial();
    for (AccountEvent event : events) {
      account = Account.DECIDER.evolve(account, event);
    }
    return new Given(account);
  }

  private record Given(Account account) {
    When when(AccountCommand command) {
      return new When(account, command);
    }
  }

  private record When(Account account, AccountCommand command) {
    void then(AccountEvent... expected) {
      assertThat(Account.DECIDER.decide(command, account)).isEqualTo(List.of(expected));
    }

    void refused(String reason) {
      assertThatThrownBy(() -> Account.DECIDER.decide(command, account))
          .isInstanceOf(RefusedException.class)
          .hasMessage(reason);
    }
  }
}
