package dev.sluice.core.store;

import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * Appends events to streams and reads one stream back.
 *
 * <p><b>Units.</b> A <i>version</i> counts the events of one stream: 0 is a stream that holds
 * nothing, the first event has version 1. Limits count events.
 *
 * <p><b>Threads.</b> Safe for use by any number of threads and processes. Every call blocks.
 *
 * <p><b>Errors.</b> All are unchecked {@link dev.sluice.core.SluiceException}s. A call that fails
 * has never appended only a part.
 */
public interface EventStore {

  /**
   * Appends events and their integration messages, all or none, to the end of a stream. On return
   * they are durable and visible to every later read, from any process; in list order, versions are
   * consecutive and positions increase.
   *
   * <p>After a {@link dev.sluice.core.StoreUnavailableException} the outcome is unknown. Repeat the
   * call with the same event ids: nothing is stored twice, and the result is that of the first try.
   * An event is known by its id: events that stand in the stream one behind the other, in this
   * order, are this append, in whichever appends they came. Where only a part of them is stored, or
   * another event lies between them, or they are in another stream, they are duplicates.
   *
   * @throws VersionConflictException if the stream is not as expected (the wrong expected version):
   *     read, decide again
   * @throws DuplicateEventException if an event id is stored already, and this is no repetition
   * @throws dev.sluice.core.NotStorableException if an event is more than this store can hold
   * @throws dev.sluice.core.StoreUnavailableException if the store can't be reached
   */
  AppendResult append(Append append);

  /** {@link #append(Append)}, spelt out. */
  default AppendResult append(StreamId stream, ExpectedVersion expected, List<NewEvent> events) {
    return append(new Append(stream, expected, events));
  }

  /**
   * Reads a page of one stream, in order of versions, or in reverse where the range says so. Fewer
   * events than the limit are returned only where the stream ends. An unknown stream is empty.
   *
   * @throws dev.sluice.core.StoreUnavailableException if the store can't be reached
   */
  List<RecordedEvent> read(StreamId stream, StreamRange range);

  /**
   * Reads a stream from a version to its end, in pages: one page at a time is in memory. Events
   * that are appended meanwhile may be included.
   */
  default Stream<RecordedEvent> readFrom(StreamId stream, long version) {
    return Pages.of(
        version,
        from -> read(stream, StreamRange.forwards(from, Pages.SIZE)),
        event -> event.version() + 1);
  }

  /**
   * Where an event is stored, if it is.
   *
   * @throws dev.sluice.core.StoreUnavailableException if the store can't be reached
   */
  Optional<StoredEvent> find(UUID eventId);
}
