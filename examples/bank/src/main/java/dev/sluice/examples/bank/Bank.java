package dev.sluice.examples.bank;

import dev.sluice.core.EventTypes;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandOptions;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Loaded;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.process.ProcessManager;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.store.Storage;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.examples.bank.account.Account;
import dev.sluice.examples.bank.account.AccountCommand;
import dev.sluice.examples.bank.account.AccountEvent;
import dev.sluice.examples.bank.account.Money;
import dev.sluice.examples.bank.account.RefusedException;
import dev.sluice.examples.bank.published.BankLanguage;
import dev.sluice.examples.bank.transfer.Transfer;
import dev.sluice.examples.bank.transfer.TransferEvent;
import dev.sluice.examples.bank.transfer.TransferProcess;
import java.util.UUID;

/** What can be done at the counter. Safe for use by any number of threads. */
public final class Bank {

  /** The stream category of accounts. */
  public static final String CATEGORY = "account";

  private static final String TRANSFERS = "transfer";

  private final CommandHandler<AccountCommand, Account, AccountEvent> accounts;
  private final ProcessManager<Transfer, TransferEvent> transfers;
  private final EventCodec codec;

  /** A bank on a store: that is all there is to choosing one. */
  public Bank(Storage storage, Serializer serializer) {
    codec =
        EventCodec.of(
            EventTypes.<DomainEvent>builder()
                .addAll(AccountEvent.class)
                .addAll(TransferEvent.class)
                .build(),
            serializer);
    accounts =
        CommandHandler.builder(storage, codec, CATEGORY, AccountEvent.class, Account.DECIDER)
            .translation(BankLanguage.translation(serializer))
            .build();
    transfers =
        new ProcessManager<>(
            storage, codec, TRANSFERS, TransferEvent.class, new TransferProcess(accounts::handle));
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
   * Takes money from one account, to be brought to another one by {@link #transfers}; where that
   * one can't take it, it comes back. Repeating a transfer with the same id moves nothing twice.
   *
   * @throws RefusedException if there is not enough
   */
  public CommandResult<Account, AccountEvent> transfer(
      UUID transferId, String from, String to, Money amount) {
    return accounts.handle(
        from,
        new AccountCommand.Send(transferId.toString(), from, to, amount),
        CommandOptions.DEFAULT.withCommandId(transferId));
  }

  /** What brings transfers to their end, to be started once in each process of the bank. */
  public Subscription transfers() {
    return transfers.subscription(FailurePolicy.PARK, CATEGORY);
  }

  /** How far a transfer has come. */
  public Transfer transfer(UUID transferId) {
    return transfers.load(transferId.toString()).state();
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
