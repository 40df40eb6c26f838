package dev.sluice.examples.bank;

import dev.sluice.core.EventTypes;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandOptions;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Loaded;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.store.Storage;
import dev.sluice.examples.bank.account.Account;
import dev.sluice.examples.bank.account.AccountCommand;
import dev.sluice.examples.bank.account.AccountEvent;
import dev.sluice.examples.bank.account.Money;
import dev.sluice.examples.bank.account.RefusedException;
import dev.sluice.examples.bank.published.BankLanguage;
import java.util.UUID;

/** What can be done at the counter. Safe for use by any number of threads. */
public final class Bank {

  /** The stream category of accounts. */
  public static final String CATEGORY = "account";

  private final CommandHandler<AccountCommand, Account, AccountEvent> accounts;
  private final EventCodec codec;

  /** A bank on a store: that is all there is to choosing one. */
  public Bank(Storage storage, Serializer serializer) {
    codec = EventCodec.of(EventTypes.<DomainEvent>of(AccountEvent.class), serializer);
    accounts =
        CommandHandler.builder(storage, codec, CATEGORY, AccountEvent.class, Account.DECIDER)
            .translation(BankLanguage.translation(serializer))
            .build();
  }

  /** Opens an account under a new id. */
  public CommandResult<Account, AccountEvent> open(String id, String holder, String taxNumber) {
    return accounts.handle(id, new AccountCommand.Open(holder, taxNumber));
  }

  /** Takes money in. */
  public CommandResult<Account, AccountEvent> deposit(String id, Money amount, String note) {
    return accounts.handle(id, new AccountCommand.Deposit(amount, note));
  }

  /**
   * Gives money out.
   *
   * @throws RefusedException if there is not enough
   */
  public CommandResult<Account, AccountEvent> withdraw(String id, Money amount, String note) {
    return accounts.handle(id, new AccountCommand.Withdraw(amount, note));
  }

  /** Closes an empty account. */
  public CommandResult<Account, AccountEvent> close(String id) {
    return accounts.handle(id, new AccountCommand.Close());
  }

  /**
   * Moves money from one account to another; where the other one can't take it, it comes back.
   * Repeating a transfer with the same id moves nothing twice.
   *
   * @throws RefusedException if there is not enough, or the other account took nothing
   */
  public void transfer(UUID transferId, String from, String to, Money amount) {
    step(transferId, "withdraw", from, new AccountCommand.Withdraw(amount, "to " + to));
    try {
      step(transferId, "deposit", to, new AccountCommand.Deposit(amount, "from " + from));
    } catch (RefusedException refused) {
      step(transferId, "refund", from, new AccountCommand.Deposit(amount, "back from " + to));
      throw refused;
    }
  }

  private void step(UUID transferId, String name, String account, AccountCommand command) {
    accounts.handle(
        account, command, CommandOptions.DEFAULT.withCommandId(EventIds.derived(transferId, name)));
  }

  /** An account as it is now. */
  public Loaded<Account> account(String id) {
    return accounts.load(id);
  }

  /** For those who read the streams themselves. */
  public EventCodec codec() {
    return codec;
  }
}
