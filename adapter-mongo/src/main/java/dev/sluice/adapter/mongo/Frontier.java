package dev.sluice.adapter.mongo;

import com.mongodb.MongoBulkWriteException;
import com.mongodb.MongoException;
import com.mongodb.MongoExecutionTimeoutException;
import com.mongodb.MongoOperationTimeoutException;
import com.mongodb.MongoWriteException;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.InsertManyOptions;
import com.mongodb.client.model.Projections;
import com.mongodb.client.model.Sorts;
import com.mongodb.client.model.UpdateOptions;
import com.mongodb.client.model.Updates;
import dev.sluice.core.Position;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import org.bson.Document;
import org.jspecify.annotations.Nullable;

/**
 * Up to where no number is missing, and so nothing can appear any more.
 *
 * <p>Writers draw their numbers in one order and insert in another. Every number ends as a commit
 * or as a filler, and the unique _id lets only one of them in, for good: below a number up to which
 * there is no hole, everything is final. A hole that stays for longer than the grace is closed with
 * a filler; its writer, should it still live, meets a duplicate key and draws again. So the grace
 * decides how long a dead writer delays readers, and nothing else.
 *
 * <p>Safe for use by any number of threads.
 */
final class Frontier {

  /**
   * Settled numbers.
   *
   * @param number the last one
   * @param head the position of the last event among them
   */
  record Settled(long number, Position head) {}

  /** Numbers that were drawn before {@code since} and are missing, at least the first of them. */
  record Hole(long from, long until, long sinceNanos, Instant since) {}

  // An insert that a caller's open transaction has under way makes a filler wait for its end.
  static final Duration PATIENCE_OF_WRITERS = Duration.ofSeconds(8);
  private static final Duration PATIENCE_OF_READERS = Duration.ofMillis(500);

  private static final String BY = "reader";
  private static final int PAGE = 1_000;

  // So far may a new process have to look for holes again.
  private static final long MARK_EVERY = 10_000;

  private final Database database;
  private final Counter counter;
  private final Joined joined;
  private final Journal journal;
  private final Duration grace;
  private volatile @Nullable Settled settled;
  private volatile long marked;
  private final Lock filling = new ReentrantLock();
  private @Nullable Hole hole;
  // Of the hole: when a filler may be tried.
  private long dueNanos;

  Frontier(Database database, Counter counter, Joined joined, Journal journal, Duration grace) {
    this.database = database;
    this.counter = counter;
    this.joined = joined;
    this.journal = journal;
    this.grace = grace;
  }

  /** What was settled when last looked. */
  Settled known() {
    Settled known = settled;
    return known == null ? loadMark() : known;
  }

  /** The hole that readers wait for, if there is one. */
  synchronized Optional<Hole> hole() {
    return Optional.ofNullable(hole);
  }

  /** Looks how far it goes now, and closes a hole that has been there for longer than the grace. */
  Settled advance() {
    Settled reached = known();
    long tried = 0;
    while (true) {
      List<Document> page = next(reached);
      int contiguous = 0;
      while (contiguous < page.size() && number(page.get(contiguous)) == reached.number() + 1) {
        Document commit = page.get(contiguous++);
        int count = commit.getInteger(Fields.COUNT, 0);
        reached =
            new Settled(
                number(commit),
                count == 0 ? reached.head() : Positions.of(number(commit), count - 1));
      }
      Settled now = settle(reached);
      if (now.number() != reached.number()) {
        // Another thread is ahead, or a crash has taken back what this one has read.
        reached = now;
        continue;
      }
      long missing = reached.number() + 1;
      boolean stopped = contiguous < page.size();
      // Once: a filler can be there and be shown later, when a majority has it.
      if (stopped && (missing == tried || !closed(missing, number(page.getLast())))) {
        return reached;
      }
      tried = missing;
      if (!stopped && page.size() < PAGE) {
        return reached;
      }
    }
  }

  private List<Document> next(Settled reached) {
    return database.call(
        () ->
            database
                .collection(Schema.COMMITS)
                .find(Filters.gt(Fields.ID, reached.number()))
                .sort(Sorts.ascending(Fields.ID))
                .projection(Projections.include(Fields.ID, Fields.COUNT))
                .limit(PAGE)
                .batchSize(PAGE + 1)
                .into(new ArrayList<>()));
  }

  private static long number(Document commit) {
    return commit.getLong(Fields.ID);
  }

  /** Makes it known, or returns what is known if that goes further or this is there no more. */
  private Settled settle(Settled reached) {
    Settled known = known();
    if (known.number() >= reached.number()) {
      return known;
    }
    // Whoever was given an event must not see its number used again after a crash.
    if (journal.lags()
        && !journal.has(
            CommitReader.between(Fields.ID, known.number() + 1, reached.number()),
            reached.number() - known.number())) {
      return known;
    }
    if (reached.number() - marked >= MARK_EVERY) {
      try {
        writeMark(reached);
      } catch (MongoException e) {
        // It only spares the next process a search; the next one will do.
      }
    }
    return publish(reached);
  }

  private synchronized Settled publish(Settled reached) {
    Settled known = settled;
    if (known == null || reached.number() > known.number()) {
      settled = reached;
      if (hole != null && hole.from() <= reached.number()) {
        hole = null;
      }
      counter.saw(reached.number());
      journal.settledUpTo(reached.number());
      joined.forgetUpTo(reached.number());
      return reached;
    }
    return known;
  }

  /** Whether the hole is closed now, by this call or by somebody else. */
  private boolean closed(long from, long until) {
    boolean aborted = joined.hasEnded(from);
    Hole due = due(from, until);
    if ((due == null && !aborted) || !filling.tryLock()) {
      return false;
    }
    try {
      boolean closed =
          due == null
              ? fill(List.of(from), BY, PATIENCE_OF_READERS)
              : fillRange(due.from(), due.until());
      if (!closed) {
        backOff(from);
      }
      return closed;
    } finally {
      filling.unlock();
    }
  }

  private synchronized @Nullable Hole due(long from, long until) {
    Settled known = settled;
    if (known != null && known.number() >= from) {
      // Another thread has seen more meanwhile.
      return null;
    }
    if (hole == null || hole.from() != from) {
      hole = new Hole(from, until, System.nanoTime(), Instant.now());
      dueNanos = hole.sinceNanos() + grace.toNanos();
    }
    return System.nanoTime() - dueNanos >= 0 ? hole : null;
  }

  /** A transaction holds the number: it is not tried again at once, readers have more to do. */
  private synchronized void backOff(long from) {
    if (hole != null && hole.from() == from) {
      dueNanos = System.nanoTime() + grace.toNanos();
    }
  }

  private boolean fillRange(long from, long until) {
    Set<Long> present = new HashSet<>();
    database.run(
        () ->
            database
                .collection(Schema.COMMITS)
                .find(Filters.and(Filters.gte(Fields.ID, from), Filters.lte(Fields.ID, until)))
                .projection(Projections.include(Fields.ID))
                .forEach(commit -> present.add(number(commit))));
    List<Long> missing = new ArrayList<>();
    for (long number = from; number <= until && missing.size() < PAGE; number++) {
      if (!present.contains(number)) {
        missing.add(number);
      }
    }
    return missing.isEmpty() || fill(missing, BY, PATIENCE_OF_READERS);
  }

  /**
   * Puts fillers where there is nothing yet. What is there stays: a filler is only ever inserted.
   *
   * @return whether all of these numbers are taken now; false if that took too long
   */
  boolean fill(List<Long> numbers, String by, Duration patience) {
    List<Document> fillers = numbers.stream().map(number -> filler(number, by)).toList();
    MongoCollection<Document> commits =
        database.collection(Schema.COMMITS).withTimeout(patience.toMillis(), TimeUnit.MILLISECONDS);
    return database.call(
        () -> {
          try {
            commits.insertMany(fillers, new InsertManyOptions().ordered(false));
            return true;
          } catch (MongoBulkWriteException e) {
            if (Database.isOutOfTime(e.getWriteConcernError())) {
              return false;
            }
            if (e.getWriteConcernError() != null
                || e.getWriteErrors().stream()
                    .anyMatch(error -> error.getCode() != Database.DUPLICATE_KEY)) {
              throw e;
            }
            return true;
          } catch (MongoWriteException e) {
            if (Database.isDuplicateKey(e)) {
              return true;
            }
            throw e;
          } catch (MongoOperationTimeoutException | MongoExecutionTimeoutException e) {
            return false;
          }
        });
  }

  /** Its stream does not exist, and its version and its event's id are its number: all unique. */
  private static Document filler(long number, String by) {
    return new Document(Fields.ID, number)
        .append(Fields.VERSION, number)
        .append(Fields.CATEGORY, "")
        .append(Fields.STREAM, "")
        .append(Fields.FILLER, by)
        .append(Fields.EVENTS, List.of(new Document(Fields.EVENT_ID, number)));
  }

  private Settled loadMark() {
    Document mark =
        database.call(
            () ->
                database
                    .collection(Schema.META)
                    .find(Filters.eq(Fields.ID, Fields.META_SETTLED))
                    .first());
    Settled loaded =
        mark == null
            ? new Settled(0, Position.START)
            : new Settled(mark.getLong(Fields.VALUE), new Position(mark.getLong(Fields.POSITION)));
    marked = loaded.number();
    return publish(loaded);
  }

  /**
   * From where the next process looks for holes. Only what is settled, and so is true as soon as it
   * can be read.
   */
  private void writeMark(Settled reached) {
    database
        .collection(Schema.META)
        .updateOne(
            Filters.eq(Fields.ID, Fields.META_SETTLED),
            Updates.combine(
                Updates.max(Fields.VALUE, reached.number()),
                Updates.max(Fields.POSITION, reached.head().value())),
            new UpdateOptions().upsert(true));
    marked = reached.number();
  }
}
