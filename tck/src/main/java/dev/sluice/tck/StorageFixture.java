package dev.sluice.tck;

import dev.sluice.core.store.Append;
import dev.sluice.core.store.Storage;
import java.util.Set;

/**
 * What the suites need from an adapter: one set of data, empty at first, and ways into it. Each
 * test makes one and closes it; keep a server that takes long to start elsewhere.
 *
 * <p>Methods are called from several threads.
 */
public interface StorageFixture extends AutoCloseable {

  /** The name of the adapter, for the report. */
  String adapter();

  /** What the store can do. */
  Set<Capability> capabilities();

  /**
   * Opens a storage on the data, independent of those that are open already, as another process
   * would do. A suite that closes one and opens the next has restarted the process. Suites close
   * what they open.
   */
  Storage open();

  /**
   * Begins an append, and returns once it stands immediately before its end: its place in the order
   * of all events is taken, and nothing of it can be read. In a store with transactions it is one
   * that has written and not committed. Where an append is one step, it has drawn its position and
   * waits before it writes.
   */
  HeldAppend hold(Append append);

  /**
   * Begins a transaction of the caller's; see {@link Capability#CALLER_TRANSACTIONS}. Implement it
   * also where the adapter could join one but this store refuses it: then that is what is tested.
   */
  default CallerTransaction beginTransaction() {
    throw new UnsupportedOperationException(adapter() + " joins no transaction of the caller's");
  }

  /** Removes the data, and ends what is still open. */
  @Override
  void close();
}
