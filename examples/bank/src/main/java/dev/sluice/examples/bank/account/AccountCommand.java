package dev.sluice.examples.bank.account;

/** What can be asked of an account. */
public sealed interface AccountCommand {

  /** To come into being. */
  record Open(String holder, String taxNumber) implements AccountCommand {}

  /** To take money in. */
  record Deposit(Money amount, String note) implements AccountCommand {}

  /** To give money out. */
  record Withdraw(Money amount, String note) implements AccountCommand {}

  /**
   * To give money away to another account.
   *
   * @param transfer the id of the transfer that is to bring it there
   * @param from the account that is asked
   */
  record Send(String transfer, String from, String to, Money amount) implements AccountCommand {}

  /** To be closed; its balance must be zero. */
  record Close() implements AccountCommand {}
}
