package dev.sluice.examples.bank.transfer;

import dev.sluice.core.aggregate.CommandOptions;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.process.ProcessAction;
import dev.sluice.core.process.ProcessDefinition;
import dev.sluice.core.translation.Source;
import dev.sluice.examples.bank.account.AccountCommand;
import dev.sluice.examples.bank.account.AccountEvent;
import dev.sluice.examples.bank.account.Money;
import dev.sluice.examples.bank.account.RefusedException;
import dev.sluice.examples.bank.transfer.Transfer.Stage;
import dev.sluice.examples.bank.transfer.TransferEvent.Compensated;
import dev.sluice.examples.bank.transfer.TransferEvent.Completed;
import dev.sluice.examples.bank.transfer.TransferEvent.Rejected;
import dev.sluice.examples.bank.transfer.TransferEvent.Started;
import dev.sluice.examples.bank.transfer.TransferEvent.Stranded;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * The rules of a transfer: what has been taken from one account is brought to the other; where that
 * one doesn't take it, it is brought back.
 */
public final class TransferProcess implements ProcessDefinition<Transfer, TransferEvent> {

  private final Accounts accounts;

  /** With the accounts that it gives orders to. */
  public TransferProcess(Accounts accounts) {
    this.accounts = accounts;
  }

  /** Where commands to accounts go. */
  @FunctionalInterface
  public interface Accounts {

    /** Runs a command; throws a {@link RefusedException} if the account says no. */
    void handle(String account, AccountCommand command, CommandOptions options);
  }

  @Override
  public Transfer initial() {
    return new Transfer(Stage.UNKNOWN, "");
  }

  @Override
  public Transfer evolve(Transfer transfer, TransferEvent event) {
    return switch (event) {
      case Started started -> new Transfer(Stage.STARTED, "");
      case Completed completed -> new Transfer(Stage.COMPLETED, "");
      case Rejected rejected -> new Transfer(Stage.REJECTED, rejected.reason());
      case Compensated compensated -> new Transfer(Stage.COMPENSATED, transfer.reason());
      case Stranded stranded -> new Transfer(Stage.STRANDED, stranded.reason());
    };
  }

  @Override
  public Optional<String> processOf(DomainEvent event, Source source) {
    return event instanceof AccountEvent.Sent sent
        ? Optional.of(sent.transfer())
        : source.metadata().correlationId();
  }

  @Override
  public List<TransferEvent> react(Transfer transfer, DomainEvent event, Source source) {
    return switch (event) {
      case AccountEvent.Sent sent when transfer.stage() == Stage.UNKNOWN ->
          List.of(new Started(sent.from(), sent.to(), sent.amount()));
      case AccountEvent.Deposited deposited when transfer.stage() == Stage.STARTED ->
          List.of(new Completed());
      case AccountEvent.Deposited deposited when transfer.stage() == Stage.REJECTED ->
          List.of(new Compensated());
      default -> List.of();
    };
  }

  @Override
  public List<ProcessAction<TransferEvent, Transfer>> actions(String id, TransferEvent event) {
    return switch (event) {
      case Started started ->
          List.of(
              deposit(
                  started.to(),
                  started.amount(),
                  "from " + started.from(),
                  why -> new Rejected(started.from(), started.to(), started.amount(), why)));
      case Rejected rejected ->
          List.of(
              deposit(
                  rejected.from(), rejected.amount(), "back from " + rejected.to(), Stranded::new));
      case Completed completed -> List.of();
      case Compensated compensated -> List.of();
      case Stranded stranded -> List.of();
    };
  }

  private ProcessAction<TransferEvent, Transfer> deposit(
      String account, Money amount, String note, Function<String, TransferEvent> ifRefused) {
    return new ProcessAction.Command<>(
        options -> accounts.handle(account, new AccountCommand.Deposit(amount, note), options),
        RefusedException.class,
        refused -> List.of(ifRefused.apply(refused.reason())));
  }
}
