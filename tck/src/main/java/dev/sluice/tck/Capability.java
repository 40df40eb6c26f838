package dev.sluice.tck;

/**
 * Where stores differ. A fixture declares what its store can do, and the suites test both answers:
 * what is declared must work, what is not must be refused.
 */
public enum Capability {

  /**
   * While an append is held open, appends to other streams are stored. Without it they wait until
   * the held one has ended.
   */
  PARALLEL_APPENDS,

  /**
   * Appends and checkpoints join a transaction of the caller's. Without it {@link
   * StorageFixture#beginTransaction} throws an {@code UnsupportedOperationException} or a {@code
   * StoreRefusedException}. Where that is the fixture's own answer, nothing is said of the store.
   */
  CALLER_TRANSACTIONS,

  /**
   * Text fields hold any chars, also NUL and half a surrogate pair. Without it these are refused
   * with a {@code NotStorableException}. Payloads are bytes and hold everything in any store.
   */
  ANY_CHARS,

  /**
   * One append may hold 20 MB. Without it that is refused with a {@code NotStorableException} that
   * says the limit; but one of 7 MB is stored by every store, and one of 10,000 small events.
   */
  LARGE_APPENDS
}
