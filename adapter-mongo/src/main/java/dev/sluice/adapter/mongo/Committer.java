package dev.sluice.adapter.mongo;

import com.mongodb.MongoBulkWriteException;
import com.mongodb.MongoException;
import com.mongodb.MongoExecutionTimeoutException;
import com.mongodb.MongoOperationTimeoutException;
import com.mongodb.bulk.BulkWriteError;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.InsertManyOptions;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.bson.RawBsonDocument;

/**
 * Draws numbers and inserts commits, for all that wait at the same moment together: one draw, one
 * unordered insert, and an outcome for each. A lone commit is not kept waiting for others.
 *
 * <p>The work is done by threads of its own, so that a caller that is interrupted takes nobody's
 * request down with its own.
 */
final class Committer implements AutoCloseable {

  /** What became of one commit. */
  sealed interface Outcome {

    /** It is durable, under this number. */
    record Stored(long number) implements Outcome {}

    /** Something unique was there before; the number that was drawn is filled. */
    record DuplicateKey() implements Outcome {}

    /** No answer in time: it is stored under this number, or may still be. */
    record Undecided(long number) implements Outcome {}

    /** It is not known whether it is stored, or it is known that it is not. */
    record Failed(RuntimeException cause) implements Outcome {}
  }

  private static final String BY = "writer";
  private static final int THREADS = 4;
  private static final int MAX_COMMITS = 500;
  private static final int MAX_BYTES = 16 * 1024 * 1024;

  // An insert that meets an open transaction waits for its end, and all that share it wait too.
  static final Duration PATIENCE = Duration.ofSeconds(2);
  private static final Duration CLOSING = Duration.ofSeconds(10);

  // What a server answers to a document as long as somebody has not acted. Anything else may pass,
  // as when the primary steps down meanwhile, and may have been stored by an earlier try.
  private static final Set<Integer> REFUSED =
      Set.of(
          2, // BadValue
          121, // DocumentValidationFailure
          166, // CommandNotSupportedOnView
          171, // CannotIndexParallelArrays
          10334, // BSONObjectTooLarge
          17280); // KeyTooLong

  private final Database database;
  private final Counter counter;
  private final Frontier frontier;
  private final Runnable betweenDrawAndInsert;
  private final Deque<Waiting> queue = new ArrayDeque<>();
  private final List<Thread> threads = new ArrayList<>();
  private boolean closed;

  private record Waiting(EncodedCommit commit, long version, CompletableFuture<Outcome> outcome) {}

  /**
   * Starts the threads.
   *
   * @param betweenDrawAndInsert for tests that hold a commit there
   */
  Committer(Database database, Counter counter, Frontier frontier, Runnable betweenDrawAndInsert) {
    this.database = database;
    this.counter = counter;
    this.frontier = frontier;
    this.betweenDrawAndInsert = betweenDrawAndInsert;
    for (int i = 1; i <= THREADS; i++) {
      threads.add(Thread.ofPlatform().daemon().name("sluice-mongo-commit-" + i).start(this::work));
    }
  }

  /** Waits for the outcome, also when interrupted: it could not be told otherwise. */
  Outcome commit(EncodedCommit commit, long version) {
    Waiting waiting = new Waiting(commit, version, new CompletableFuture<>());
    synchronized (queue) {
      if (closed) {
        throw database.closed();
      }
      queue.addLast(waiting);
      queue.notify();
    }
    return waiting.outcome().join();
  }

  /** Without others, by the caller's thread: for a commit that would make them wait. */
  Outcome commitAlone(EncodedCommit commit, long version, Duration patience) {
    Waiting waiting = new Waiting(commit, version, new CompletableFuture<>());
    commit(List.of(waiting), patience);
    return waiting.outcome().join();
  }

  /**
   * Sees to it that an undecided commit is stored now or never will be under this number.
   *
   * @return false if that can't be said in time
   */
  boolean settle(long number, Duration patience) {
    return frontier.fill(List.of(number), BY, patience);
  }

  private void work() {
    while (true) {
      List<Waiting> batch;
      try {
        batch = next();
      } catch (InterruptedException e) {
        // Nobody else knows these threads; go on until closed.
        continue;
      }
      if (batch.isEmpty()) {
        return;
      }
      try {
        commit(batch, PATIENCE);
      } catch (RuntimeException e) {
        fail(batch, e);
      } catch (Error e) {
        // Whoever waits must not wait for ever, and the others still need this thread.
        fail(batch, new IllegalStateException("the commit to " + database.where() + " failed", e));
      }
    }
  }

  private static void fail(List<Waiting> batch, RuntimeException cause) {
    batch.forEach(waiting -> waiting.outcome().complete(new Outcome.Failed(cause)));
  }

  private List<Waiting> next() throws InterruptedException {
    synchronized (queue) {
      while (queue.isEmpty() && !closed) {
        queue.wait();
      }
      List<Waiting> batch = new ArrayList<>();
      int bytes = 0;
      while (!queue.isEmpty()
          && batch.size() < MAX_COMMITS
          && (batch.isEmpty() || bytes + queue.getFirst().commit().size() <= MAX_BYTES)) {
        Waiting waiting = queue.removeFirst();
        bytes += waiting.commit().size();
        batch.add(waiting);
      }
      return batch;
    }
  }

  private void commit(List<Waiting> batch, Duration patience) {
    long first = counter.draw(batch.size());
    Map<Integer, Outcome> refused = new TreeMap<>();
    try {
      betweenDrawAndInsert.run();
      Optional<List<BulkWriteError>> errors = insert(batch, first, patience);
      if (errors.isEmpty()) {
        // Each caller goes on with its own, so that these threads are free for the others.
        for (int i = 0; i < batch.size(); i++) {
          batch.get(i).outcome().complete(new Outcome.Undecided(first + i));
        }
        return;
      }
      for (BulkWriteError error : errors.get()) {
        refused.put(error.getIndex(), refusal(error));
      }
    } catch (StoreUnavailableException e) {
      // Whatever comes of the insert, a reader settles it: asking the server once more now would
      // only keep the callers waiting.
      throw e;
    } catch (RuntimeException e) {
      for (int i = 0; i < batch.size(); i++) {
        refused.put(i, new Outcome.Failed(e));
      }
    }
    for (int i = 0; i < batch.size(); i++) {
      if (!refused.containsKey(i)) {
        counter.saw(first + i);
        batch.get(i).outcome().complete(new Outcome.Stored(first + i));
      }
    }
    if (!refused.isEmpty()) {
      try {
        // The losers fill their holes themselves, so that no reader waits for them.
        frontier.fill(
            refused.keySet().stream().map(i -> first + i).toList(),
            BY,
            Frontier.PATIENCE_OF_WRITERS);
      } finally {
        refused.forEach((i, outcome) -> batch.get(i).outcome().complete(outcome));
      }
    }
  }

  private Outcome refusal(BulkWriteError error) {
    if (error.getCode() == Database.DUPLICATE_KEY) {
      return new Outcome.DuplicateKey();
    }
    return new Outcome.Failed(
        REFUSED.contains(error.getCode())
            ? new StoreRefusedException(
                database.where()
                    + " refused a commit, nothing of it was stored: "
                    + error.getMessage())
            : database.translated(new MongoException(error.getCode(), error.getMessage())));
  }

  /** What was refused of it; empty if no answer came in time. */
  private Optional<List<BulkWriteError>> insert(
      List<Waiting> batch, long first, Duration patience) {
    List<RawBsonDocument> documents = new ArrayList<>(batch.size());
    for (int i = 0; i < batch.size(); i++) {
      documents.add(batch.get(i).commit().at(first + i, batch.get(i).version()));
    }
    MongoCollection<RawBsonDocument> commits =
        database.encodedCommits().withTimeout(patience.toMillis(), TimeUnit.MILLISECONDS);
    return database.call(
        () -> {
          try {
            commits.insertMany(documents, new InsertManyOptions().ordered(false));
            return Optional.of(List.of());
          } catch (MongoBulkWriteException e) {
            if (Database.isOutOfTime(e.getWriteConcernError())) {
              return Optional.empty();
            }
            if (e.getWriteConcernError() != null) {
              throw new MongoException(
                  "stored, but not as durably as asked for: " + e.getWriteConcernError(), e);
            }
            return Optional.of(e.getWriteErrors());
          } catch (MongoOperationTimeoutException | MongoExecutionTimeoutException e) {
            return Optional.empty();
          }
        });
  }

  /** Takes no more, and waits for those that it has taken. */
  @Override
  public void close() {
    synchronized (queue) {
      closed = true;
      queue.notifyAll();
    }
    try {
      for (Thread thread : threads) {
        // Not for ever: a server that is gone gives no answer.
        thread.join(CLOSING.toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
