package dev.sluice.adapter.mongo;

import com.mongodb.MongoException;
import com.mongodb.client.MongoChangeStreamCursor;
import com.mongodb.client.model.Aggregates;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Projections;
import com.mongodb.client.model.changestream.ChangeStreamDocument;
import dev.sluice.core.Registration;
import dev.sluice.core.store.AppendHints;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.bson.Document;
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

  private final Database database;
  private final AppendHints hints = new AppendHints();
  private final Semaphore signal = new Semaphore(0);
  private @Nullable Thread caller;
  private @Nullable Thread watcher;
  private volatile boolean closed;

  Hints(Database database) {
    this.database = database;
  }

  synchronized Registration add(Runnable hint) {
    database.requireOpen();
    Registration registration = hints.add(hint);
    if (caller == null) {
      caller = Thread.ofPlatform().daemon().name("sluice-mongo-hints").start(this::call);
    }
    if (watcher == null && database.hasReplicaSet()) {
      watcher = Thread.ofPlatform().daemon().name("sluice-mongo-watch").start(this::watch);
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
    long backoff = 1;
    while (!closed) {
      try (MongoChangeStreamCursor<ChangeStreamDocument<Document>> changes =
          database
              .collection(Schema.COMMITS)
              .watch(
                  List.of(
                      Aggregates.match(Filters.eq("operationType", "insert")),
                      Aggregates.project(Projections.include("_id"))))
              .maxAwaitTime(1, TimeUnit.SECONDS)
              .cursor()) {
        // Whatever came before it was open.
        appended();
        while (!closed) {
          if (changes.tryNext() != null) {
            backoff = 1;
            appended();
          }
        }
      } catch (MongoException | IllegalStateException e) {
        if (!closed) {
          LOG.info(
              "No change stream on {}; appends of other processes are found by polling, next try"
                  + " in {} s: {}",
              database.where(),
              backoff,
              e.getMessage());
          pause(backoff);
          backoff = Math.min(backoff * 2, MAX_BACKOFF_SECONDS);
        }
      }
    }
  }

  private void pause(long seconds) {
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
