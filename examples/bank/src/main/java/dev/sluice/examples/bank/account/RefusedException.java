package dev.sluice.examples.bank.account;

/** The bank says no, for a reason of business. Trying again changes nothing. */
public final class RefusedException extends RuntimeException {

  private final String reason;

  /** With a sentence that can be shown to the customer. */
  public RefusedException(String reason) {
    super(reason);
    this.reason = reason;
  }

  /** The sentence. */
  public String reason() {
    return reason;
  }
}
