package dev.sluice.examples.bank.account;

/**
 * An amount of Swiss francs.
 *
 * @param cents hundredths of a franc, never negative
 */
public record Money(long cents) implements Comparable<Money> {

  /** Nothing. */
  public static final Money ZERO = new Money(0);

  /** Refuses debts: an account of this bank has none. */
  public Money {
    if (cents < 0) {
      throw new IllegalArgumentException("an amount of money is not negative, as " + cents + " is");
    }
  }

  /** Whole francs. */
  public static Money chf(long francs) {
    return new Money(Math.multiplyExact(francs, 100));
  }

  /** The sum. */
  public Money plus(Money other) {
    return new Money(Math.addExact(cents, other.cents));
  }

  /** The difference; the other amount must not be greater. */
  public Money minus(Money other) {
    return new Money(cents - other.cents);
  }

  @Override
  public int compareTo(Money other) {
    return Long.compare(cents, other.cents);
  }

  /** Such as {@code 42.00 CHF}. */
  @Override
  public String toString() {
    return "%d.%02d CHF".formatted(cents / 100, cents % 100);
  }
}
