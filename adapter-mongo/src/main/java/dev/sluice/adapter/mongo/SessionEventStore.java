package dev.sluice.adapter.mongo;

import com.mongodb.MongoException;
import com.mongodb.MongoWriteException;
import com.mongodb.client.ClientSession;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Projections;
import com.mongodb.client.model.Sorts;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.bson.Document;
import org.jspecify.annotations.Nullable;

/**
 * Appends inside a caller's transaction. The number is drawn outside of it, so that appenders don't
 * wait for each other at the counter; until the transaction ends, readers wait at the number, and
 * after an abort a reader fills it.
 */
final class SessionEventStore implements EventStore {

  private final Database database;
  private final Counter counter;
  private final Tails tails;
  private final Joined joined;
  private final MongoEventStore outside;
  private final ClientSession session;

  SessionEventStore(
      Database database,
      Counter counter,
      Tails tails,
      Joined joined,
      MongoEventStore outside,
      ClientSession session) {
    this.database = database;
    this.counter = counter;
    this.tails = tails;
    this.joined = joined;
    this.outside = outside;
    this.session = session;
  }

  @Override
  public AppendResult append(Append append) {
    if (!session.hasActiveTransaction()) {
      throw new IllegalStateException(
          "the session has no transaction; call session.startTransaction() before appending in it,"
              + " or append through MongoStorage.eventStore()");
    }
    database.terms().check(session);
    EncodedCommit commit = EncodedCommit.of(append, database.maxDocumentBytes());
    return database.call(
        () -> {
          // The transaction may have begun to read long ago and not see what others have appended
          // since; those outside don't see what it has appended itself.
          long seen = tail(append.stream());
          long tail = Math.max(tails.read(append.stream()), seen);
          // Before anything is written: at a duplicate key the server aborts the transaction, and
          // whoever repeats it would meet the same ids again.
          Optional<AppendResult> repeated = append.repeatOf(stored(append.ids()));
          if (repeated.isPresent()) {
            return repeated.get();
          }
          if (!append.expected().isMetBy(tail)) {
            // A transaction that does not see what it conflicts with can't decide anew.
            return outside
                .repeated(append)
                .orElseThrow(
                    () ->
                        append.expected().isMetBy(seen)
                            ? repeatTransaction(append, null)
                            : append.conflict(tail));
          }
          long number = counter.draw(1);
          joined.drew(number, session);
          try {
            database.encodedCommits().insertOne(session, commit.at(number, tail + 1));
          } catch (MongoWriteException e) {
            throw Database.isDuplicateKey(e) ? lost(append, e) : e;
          }
          long last = tail + commit.count();
          return new AppendResult(tail + 1, last, Positions.of(number, commit.count() - 1));
        });
  }

  /** The server has aborted the transaction, so what is the matter is read outside of it. */
  private RuntimeException lost(Append append, MongoWriteException e) {
    long tail = tails.read(append.stream());
    if (outside.repeated(append).isEmpty() && !append.expected().isMetBy(tail)) {
      return append.conflict(tail);
    }
    return repeatTransaction(append, e);
  }

  private static MongoException repeatTransaction(Append append, @Nullable Throwable cause) {
    MongoException repeat =
        new MongoException(
            "the append to "
                + append.stream()
                + " met another one; repeat the transaction, as session.withTransaction does",
            cause);
    repeat.addLabel(MongoException.TRANSIENT_TRANSACTION_ERROR_LABEL);
    return repeat;
  }

  private long tail(StreamId stream) {
    Document last =
        database
            .collection(Schema.COMMITS)
            .find(session, Tails.ofStream(stream))
            .sort(Sorts.descending(Fields.VERSION))
            .projection(Projections.include(Fields.ID, Fields.VERSION, Fields.COUNT))
            .limit(1)
            .first();
    if (last == null) {
      return 0;
    }
    counter.saw(last.getLong(Fields.ID));
    return Tails.lastVersion(last);
  }

  private List<StoredEvent> stored(List<UUID> ids) {
    List<StoredEvent> found = new ArrayList<>();
    database
        .commits()
        .find(session, Filters.in("events.id", ids.stream().map(Values::id).toList()))
        .forEach(
            commit ->
                commit.stored().stream()
                    .filter(event -> ids.contains(event.id()))
                    .forEach(found::add));
    return found;
  }

  /** Sees what this transaction has appended, and else what was there when it began. */
  @Override
  public List<RecordedEvent> read(StreamId stream, StreamRange range) {
    database.terms().check(session);
    List<RecordedEvent> events = new ArrayList<>();
    database.run(
        () -> {
          for (Commit commit :
              database
                  .commits()
                  .find(
                      session,
                      Filters.and(
                          Tails.ofStream(stream),
                          range.backwards()
                              ? Filters.lte(Fields.VERSION, range.from())
                              : Filters.gte(Fields.VERSION, firstVersion(stream, range.from()))))
                  .sort(
                      range.backwards()
                          ? Sorts.descending(Fields.VERSION)
                          : Sorts.ascending(Fields.VERSION))
                  .limit(range.limit())) {
            List<RecordedEvent> inOrder =
                range.backwards() ? commit.events().reversed() : commit.events();
            for (RecordedEvent event : inOrder) {
              boolean within =
                  range.backwards()
                      ? event.version() <= range.from()
                      : event.version() >= range.from();
              if (within && events.size() < range.limit()) {
                events.add(event);
              }
            }
          }
        });
    return events;
  }

  /** The first version of the commit that holds a version. */
  private long firstVersion(StreamId stream, long version) {
    Document around =
        database
            .collection(Schema.COMMITS)
            .find(
                session, Filters.and(Tails.ofStream(stream), Filters.lte(Fields.VERSION, version)))
            .sort(Sorts.descending(Fields.VERSION))
            .projection(Projections.include(Fields.VERSION))
            .limit(1)
            .first();
    return around == null ? version : around.getLong(Fields.VERSION);
  }

  @Override
  public Optional<StoredEvent> find(UUID eventId) {
    database.terms().check(session);
    return database.call(() -> stored(List.of(eventId)).stream().findFirst());
  }
}
