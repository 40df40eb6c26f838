package dev.sluice.adapter.mongo;

import com.mongodb.MongoConnectionPoolClearedException;
import com.mongodb.MongoException;
import com.mongodb.MongoNodeIsRecoveringException;
import com.mongodb.MongoNotPrimaryException;
import com.mongodb.MongoServerUnavailableException;
import com.mongodb.MongoSocketException;
import com.mongodb.MongoTimeoutException;
import com.mongodb.ReadConcern;
import com.mongodb.ReadPreference;
import com.mongodb.TransactionOptions;
import com.mongodb.WriteConcern;
import com.mongodb.client.ClientSession;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.projection.ViewRefusedException;
import dev.sluice.core.subscription.BatchProcessor;
import java.util.List;

/** Views on the same replica set as the events. Safe for use by any number of threads. */
public final class MongoProjections {

  private static final TransactionOptions DURABLE =
      TransactionOptions.builder()
          // Whatever the client prefers: there is no other one in a transaction.
          .readPreference(ReadPreference.primary())
          .readConcern(ReadConcern.MAJORITY)
          .writeConcern(WriteConcern.MAJORITY)
          .build();

  private MongoProjections() {}

  /**
   * A view that changes in the same transaction as the checkpoint of its subscription, and so
   * exactly once per event. Only where there is a replica set. Use it as {@code
   * projection.subscription().processor(…)}. Handlers write through the session that they are
   * given: {@code collection.updateOne(session, …)}; what they write without it is not part of the
   * transaction.
   *
   * <p>The driver repeats a transaction that met another one, so a handler may be called again for
   * an event whose first call had no effect. What a handler throws counts as a failure of its
   * event, also if the server has refused what it wrote. Only trouble with the connection or the
   * server does not.
   *
   * @throws UnsupportedOperationException on a standalone server, which has no transactions; write
   *     idempotently there, by the position of the event
   */
  public static BatchProcessor transactional(
      MongoStorage storage, Projection<ClientSession> projection) {
    storage.requireTransactions();
    Database database = storage.database();
    return (events, next) -> {
      database.requireOpen();
      try (ClientSession session = database.client().startSession()) {
        session.withTransaction(() -> apply(storage, projection, session, events, next), DURABLE);
      } catch (MongoException e) {
        // Also with the label at which the transaction would be repeated: the driver has done that
        // for long enough.
        throw database.translated(e);
      }
    };
  }

  private static Checkpoint apply(
      MongoStorage storage,
      Projection<ClientSession> projection,
      ClientSession session,
      List<RecordedEvent> events,
      Checkpoint next) {
    // The checkpoint first: who is not the owner any more is refused before it writes.
    storage.checkpoints(session).save(next);
    for (RecordedEvent event : events) {
      try {
        projection.apply(session, event);
      } catch (MongoException e) {
        if (isTroubleOfTheServer(e)) {
          throw e;
        }
        throw new ViewRefusedException(projection.name(), event, e.toString(), e);
      }
    }
    return next;
  }

  private static boolean isTroubleOfTheServer(MongoException e) {
    return e.hasErrorLabel(MongoException.TRANSIENT_TRANSACTION_ERROR_LABEL)
        || e instanceof MongoSocketException
        || e instanceof MongoTimeoutException
        // Another thread has met the outage.
        || e instanceof MongoConnectionPoolClearedException
        || e instanceof MongoServerUnavailableException
        || e instanceof MongoNotPrimaryException
        || e instanceof MongoNodeIsRecoveringException;
  }
}
