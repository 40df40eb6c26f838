package dev.sluice.core.store;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.Outbox;
import java.util.function.Supplier;

/**
 * One store of one service, with all its ports. Each storage adapter is one of these. Safe for use
 * by any number of threads.
 */
public interface Storage extends AutoCloseable {

  /** What this is, for people: the product, its version, and where it is. No secrets. */
  String describe();

  /** Appends events and reads streams. */
  EventStore eventStore();

  /** Reads all events in one order. */
  GlobalLog globalLog();

  /** Reads the integration messages that wait to be published. */
  Outbox outbox();

  /** Keeps how far readers have come. */
  CheckpointStore checkpoints();

  /** Keeps snapshots of aggregates. */
  SnapshotStore snapshots();

  /** Keeps who may do what. */
  LeaseStore leases();

  /**
   * This storage with another event store, such as one that wraps its own. Closing it closes this
   * one.
   */
  default Storage withEventStore(EventStore eventStore) {
    return new OtherEventStore(this, eventStore);
  }

  /**
   * Releases what this object has opened, and nothing that it was given. Calls that are under way
   * fail or finish; calls that come later fail. Closing twice does nothing.
   */
  @Override
  void close();

  /**
   * Refuses text that a store can't hold if it keeps text as Unicode, for adapters: half a
   * surrogate pair, and NUL, at which C ends a text.
   *
   * @param what what the text is, for the message
   * @return the text
   * @throws NotStorableException if it has such a char
   */
  static String checkedText(Supplier<String> what, String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == 0) {
        throw new NotStorableException(
            what.get() + " has a NUL character at index " + i + "; leave it out");
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(c)) {
        throw new NotStorableException(
            what.get()
                + " has half a surrogate pair at index "
                + i
                + ", which is no Unicode text; correct it");
      }
    }
    return text;
  }
}
