package dev.sluice.adapter.mongo;

import com.mongodb.MongoException;
import com.mongodb.ReadConcern;
import com.mongodb.client.MongoCursor;
import com.mongodb.client.model.Aggregates;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Projections;
import dev.sluice.core.Registration;
import dev.sluice.core.store.AppendHints;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.bson.BsonDocument;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Wakes readers after an append: at once for appends through this object, and for those of other
 * processes where there is a replica set, whose change stream tells that something came. The stream
 * only wakes: what there is, and in which order, is always read from the commits. So a stream that
 * lost its history is opened anew from now on, and nothing is lost by that.
 */
final class Hints implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Hints.class);
  private static final long MAX_BACKOFF_SECONDS = 30;
  private static final long WAIT_SECONDS = 1;
  private static final long TIMEOUT_SECONDS = 30;

  private final Database database;
  private final boolean watches;
  private final AppendHints hints = new AppendHints();
  private final Semaphore signal = new Semaphore(0);
  private @Nullable Thread caller;
  private @Nullable Thread watcher;
  private volatile boolean closed;

  /**
   * Does nothing until the first hint is added.
   *
   * @param watches whether the server has change streams
   */
  Hints(Database database, boolean watches) {
    this.database = database;
    this.watches = watches;
  }

  synchronized Registration add(Runnable hint) {
    database.requireOpen();
    Registration registration = hints.add(hint);
    if (caller == null) {
      caller = Thread.ofPlatform().daemon().name("sluice-mongo-hints").start(this::call);
    }
    if (watcher == null && watches) {
      watcher =
          Thread.ofPlatform()
              .daemon()
              .name("sluice-mongo-watch")
              .uncaughtExceptionHandler(
                  (thread, e) ->
                      LOG.error(
                          "Appends of other processes on {} are found by polling from now on",
                          database.where(),
                          e))
              .start(this::watch);
    }
    return registration;
  }

  void appended() {
    if (!hints.isEmpty()) {
      signal.release();
    }
  }

  private void call() {
    while (!closed) {
      try {
        signal.acquire();
      } catch (InterruptedException e) {
        continue;
      }
      signal.drainPermits();
      if (closed) {
        return;
      }
      hints.callAll();
    }
  }

  private void watch() {
    long backoff = 0;
    while (!closed) {
      // As plain documents: all that matters is that there is one.
      try (MongoCursor<BsonDocument> changes =
          database
              .collection(Schema.COMMITS)
              // The only one that a change stream takes; what wakes need not follow what reads.
              .withReadConcern(ReadConcern.MAJORITY)
              // The driver takes none that is not above the wait, as the client's may be.
              .withTimeout(TIMEOUT_SECONDS, TimeUnit.SECONDS)
              .watch(
                  List.of(
                      Aggregates.match(Filters.eq("operationType", "insert")),
                      Aggregates.project(Projections.include(Fields.ID))))
              .maxAwaitTime(WAIT_SECONDS, TimeUnit.SECONDS)
              .withDocumentClass(BsonDocument.class)
              .cursor()) {
        if (backoff > 0) {
          LOG.info("The change stream on {} is open again", database.where());
        }
        backoff = 0;
        // Whatever came before it was open.
        appended();
        while (!closed) {
          if (changes.tryNext() != null) {
            appended();
          } else if (changes.getServerCursor() == null) {
            // As after the collection was dropped: it would never wait again, and never answer.
            throw new MongoException("the server has closed it");
          }
        }
      } catch (RuntimeException e) {
        // Whatever it is: a thread that ends here would end the hints in silence.
        if (backoff == 0 && !closed) {
          LOG.info(
              "No change stream on {}; appends of other processes are found by polling until it can"
                  + " be opened: {}",
              database.where(),
              e.getMessage());
        }
        backoff = Math.clamp(backoff * 2, 1, MAX_BACKOFF_SECONDS);
        pause(backoff);
      }
    }
  }

  private void pause(long seconds) {
    if (closed) {
      return;
    }
    try {
      TimeUnit.SECONDS.sleep(seconds);
    } catch (InterruptedException e) {
      // Closed, or somebody's mistake; the loop knows.
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    signal.release();
    if (watcher != null) {
      watcher.interrupt();
    }
  }
}
