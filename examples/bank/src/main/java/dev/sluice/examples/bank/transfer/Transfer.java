package dev.sluice.examples.bank.transfer;

/**
 * A transfer, as its events tell.
 *
 * @param reason why the money could not stay where it was to go; empty if it could
 */
public record Transfer(Stage stage, String reason) {

  /** How far a transfer has come. */
  public enum Stage {
    /** Nobody has asked for it, or the process has not heard of it yet. */
    UNKNOWN,
    /** The money is on its way. */
    STARTED,
    /** The money is where it was to go. */
    COMPLETED,
    /** The money is on its way back. */
    REJECTED,
    /** The money is back. */
    COMPENSATED,
    /** The money is neither here nor there: somebody has to look. */
    STRANDED
  }

  /** Whether nothing happens to it any more. */
  public boolean isOver() {
    return switch (stage) {
      case UNKNOWN, STARTED, REJECTED -> false;
      case COMPLETED, COMPENSATED, STRANDED -> true;
    };
  }
}
