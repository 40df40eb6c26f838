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

  private static final int PAGE = 1_000;

  // So far may a new process have to look for holes again.
  private static final long MARK_EVERY = 10_000;

  private final Database database;
  private final Counter counter;
  private final Joined joined;
  private final Duration grace;
  private volatile @Nullable Settled settled;
  private volatile long marked;
  private @Nullable Hole hole;

  Frontier(Database database, Counter counter, Joined joined, Duration grace) {
    this.database = database;
    this.counter = counter;
    this.joined = joined;
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
      Settled now = publish(reached);
      if (now.number() > reached.number()) {
        // Another thread is ahead; what this one has read of a hole is old.
        reached = now;
        continue;
      }
      mark(reached);
      boolean stopped = contiguous < page.size();
      if (stopped && !closed(reached.number() + 1, number(page.getLast()))) {
        return reached;
      }
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

  private synchronized Settled publish(Settled reached) {
    Settled known = settled;
    if (known == null || reached.number() > known.number()) {
      settled = reached;
      if (hole != null && hole.from() <= reached.number()) {
        hole = null;
      }
      counter.saw(reached.number());
      joined.forgetUpTo(reached.number());
      return reached;
    }
    return known;
  }

  /** Whether the hole is closed now, by this call or by somebody else. */
  private boolean closed(long from, long until) {
    if (joined.hasEnded(from)) {
      return fill(List.of(from), "reader");
    }
    Hole due = due(from, until);
    if (due == null) {
      return false;
    }
    return fillRange(due.from(), due.until());
  }

  private synchronized @Nullable Hole due(long from, long until) {
    Settled known = settled;
    if (known != null && known.number() >= from) {
      // Another thread has seen more meanwhile.
      return null;
    }
    if (hole == null || hole.from() != from) {
      hole = new Hole(from, until, System.nanoTime(), Instant.now());
    }
    return System.nanoTime() - hole.sinceNanos() >= grace.toNanos() ? hole : null;
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
    return missing.isEmpty() || fill(missing, "reader");
  }

  /**
   * Puts fillers where there is nothing yet. What is there stays: a filler is only ever inserted.
   *
   * @return whether all of these numbers are taken now
   */
  boolean fill(List<Long> numbers, String by) {
    List<Document> fillers = numbers.stream().map(number -> filler(number, by)).toList();
    // An insert that a caller's open transaction has under way makes this one wait for its end.
    MongoCollection<Document> commits =
        database.collection(Schema.COMMITS).withTimeout(5, TimeUnit.SECONDS);
    return database.call(
        () -> {
          try {
            commits.insertMany(fillers, new InsertManyOptions().ordered(false));
            return true;
          } catch (MongoBulkWriteException e) {
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

  /** Only so that the next process need not look through all numbers. */
  private void mark(Settled reached) {
    if (reached.number() - marked < MARK_EVERY) {
      return;
    }
    marked = reached.number();
    try {
      database
          .collection(Schema.META)
          .updateOne(
              Filters.eq(Fields.ID, Fields.META_SETTLED),
              Updates.combine(
                  Updates.max(Fields.VALUE, reached.number()),
                  Updates.max(Fields.POSITION, reached.head().value())),
              new UpdateOptions().upsert(true));
    } catch (MongoException e) {
      // The next one will do.
    }
  }
}
