package dev.sluice.adapter.jdbc;

import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.projection.ViewRefusedException;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.subscription.BatchProcessor;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.JdbiException;

/** Views in the same database as the events. Safe for use by any number of threads. */
public final class JdbcProjections {

  /**
   * A process that was stopped, or cut off, inside a batch holds the checkpoint's row for as long
   * as its transaction lives: for this long the next owner waits for it.
   */
  private static final Duration MAX_SILENCE = Duration.ofSeconds(30);

  private JdbcProjections() {}

  /**
   * Runs a projection so that each event takes effect exactly once: a batch's changes to the view
   * and the checkpoint are one transaction. Use it with {@code
   * projection.subscription().processor(…)}.
   *
   * <p>What a handler throws counts as a failure of its event, also if the database has refused
   * what it wrote, or JDBI couldn't send it. Only trouble with the connection or the server does
   * not.
   *
   * <p>The server ends the transaction, and the batch is tried again, if it hears nothing of it for
   * 30 seconds: a handler must not wait for longer than that between two statements.
   */
  public static BatchProcessor transactional(JdbcStorage storage, Projection<Handle> projection) {
    return transactional(storage, projection, MAX_SILENCE);
  }

  static BatchProcessor transactional(
      JdbcStorage storage, Projection<Handle> projection, Duration maxSilence) {
    String limit =
        "set local idle_in_transaction_session_timeout = '" + maxSilence.toMillis() + "ms'";
    return (events, next) ->
        storage.inTransaction(
            transaction -> {
              transaction.handle().execute(limit);
              // The checkpoint first: who is not the owner any more is refused before it writes.
              transaction.checkpoints().save(next);
              for (RecordedEvent event : events) {
                apply(projection, transaction.handle(), event);
              }
              return next;
            });
  }

  /**
   * A storage on which each append changes the views in its own transaction: who has appended reads
   * the changed view at once. The price: appends don't share commits, hold locks on the view's
   * rows, and fail when a handler does. Keep it for the few views that must never lag.
   *
   * <p>Appends through the storage itself, or in transactions of the caller's, don't change them.
   */
  public static Storage inline(JdbcStorage storage, List<Projection<Handle>> projections) {
    return storage.withEventStore(new InlineEventStore(storage, List.copyOf(projections)));
  }

  private static void apply(Projection<Handle> projection, Handle handle, RecordedEvent event) {
    try {
      projection.apply(handle, event);
    } catch (SluiceException e) {
      throw e;
    } catch (RuntimeException e) {
      SQLException cause = Failures.sqlCause(e);
      if (cause != null && Failures.isOutage(cause)) {
        throw new StoreUnavailableException(
            "PostgreSQL: the view '"
                + projection.name()
                + "' can't be written for now: "
                + Failures.oneLine(cause),
            e);
      }
      // What is left to JDBI itself would be taken for trouble with the server further up.
      if (cause != null || e instanceof JdbiException) {
        String problem = cause == null ? e.toString() : Failures.oneLine(cause);
        throw new ViewRefusedException(projection.name(), event, problem, e);
      }
      throw e;
    }
  }

  private record InlineEventStore(JdbcStorage storage, List<Projection<Handle>> projections)
      implements EventStore {

    @Override
    public AppendResult append(Append append) {
      return storage.inTransaction(
          transaction -> {
            EventStore events = transaction.eventStore();
            AppendResult result = events.append(append);
            if (!((JoinedTransaction) transaction).wasRepetition()) {
              change(transaction.handle(), events, append.stream(), result);
            }
            return result;
          });
    }

    private void change(Handle handle, EventStore events, StreamId stream, AppendResult result) {
      long from = result.firstVersion();
      while (from <= result.version()) {
        int count = (int) Math.min(StreamRange.MAX_LIMIT, result.version() - from + 1);
        for (RecordedEvent event : events.read(stream, StreamRange.forwards(from, count))) {
          projections.forEach(projection -> apply(projection, handle, event));
        }
        from += count;
      }
    }

    @Override
    public List<RecordedEvent> read(StreamId stream, StreamRange range) {
      return storage.eventStore().read(stream, range);
    }

    @Override
    public Optional<StoredEvent> find(UUID eventId) {
      return storage.eventStore().find(eventId);
    }
  }
}
