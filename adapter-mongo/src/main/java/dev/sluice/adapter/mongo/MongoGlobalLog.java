package dev.sluice.adapter.mongo;

import com.mongodb.client.model.Accumulators;
import com.mongodb.client.model.Aggregates;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Sorts;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.LogStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bson.BsonArray;
import org.bson.BsonDocument;
import org.bson.BsonInt64;
import org.bson.BsonString;
import org.bson.Document;
import org.bson.conversions.Bson;

/** Reads settled commits only: first how far that goes, then the query up to there. */
final class MongoGlobalLog implements GlobalLog {

  private final Database database;
  private final CommitReader reader;
  private final Frontier frontier;
  private final Hints hints;

  MongoGlobalLog(Database database, CommitReader reader, Frontier frontier, Hints hints) {
    this.database = database;
    this.reader = reader;
    this.frontier = frontier;
    this.hints = hints;
  }

  @Override
  public LogPage read(Position after, EventFilter filter, int limit) {
    GlobalLog.checkedLimit(limit);
    // One more than asked for tells whether there is more.
    List<RecordedEvent> events = new ArrayList<>();
    Frontier.Settled settled = frontier.known();
    collect(events, after, Positions.number(after), settled, filter, limit + 1);
    if (events.size() <= limit) {
      long done = settled.number();
      settled = frontier.advance();
      collect(
          events, after, Math.max(Positions.number(after), done + 1), settled, filter, limit + 1);
    }
    return LogPage.of(after, settled.head(), events, limit);
  }

  private void collect(
      List<RecordedEvent> events,
      Position after,
      long from,
      Frontier.Settled settled,
      EventFilter filter,
      int limit) {
    if (!settled.head().isAfter(after)) {
      return;
    }
    // There is no number 0.
    long next = Math.max(from, 1);
    boolean ends = false;
    while (!ends && events.size() < limit && next <= settled.number()) {
      CommitReader.Page page = read(next, settled.number(), filter, limit - events.size());
      for (Commit commit : page.commits()) {
        for (RecordedEvent event : commit.events()) {
          if (event.position().isAfter(after) && filter.matches(event) && events.size() < limit) {
            events.add(event);
          }
        }
        next = commit.number() + 1;
      }
      ends = page.ends();
    }
  }

  private CommitReader.Page read(long from, long to, EventFilter filter, int wanted) {
    Bson byNumber = Sorts.ascending(Fields.ID);
    return filter.equals(EventFilter.ALL)
        // Each of these numbers is there: their count is an end that the server need not compare.
        ? reader.read(
            new BsonDocument(Fields.ID, new BsonDocument("$gte", new BsonInt64(from))),
            byNumber,
            wanted,
            to - from + 1)
        : reader.read(matching(from, to, filter), byNumber, wanted);
  }

  private static Bson matching(long from, long to, EventFilter filter) {
    BsonDocument matching = CommitReader.between(Fields.ID, from, to);
    if (!filter.categories().isEmpty()) {
      matching.append(Fields.CATEGORY, in(filter.categories()));
    }
    if (!filter.types().isEmpty()) {
      matching.append("events.type", in(filter.types()));
    }
    return matching;
  }

  private static BsonDocument in(Set<String> values) {
    return new BsonDocument("$in", new BsonArray(values.stream().map(BsonString::new).toList()));
  }

  @Override
  public LogStatus status() {
    Frontier.Settled settled = frontier.advance();
    return new LogStatus(
        settled.head(),
        frontier
            .hole()
            .map(
                hole ->
                    new LogStatus.OpenAppend(
                        "the writer of commit "
                            + hole.from()
                            + ", which was drawn and is not inserted; readers fill it after the"
                            + " grace",
                        hole.since())));
  }

  @Override
  public long count(Position after, EventFilter filter) {
    Frontier.Settled settled = frontier.advance();
    long number = Positions.number(after);
    long count =
        number > settled.number()
            ? 0
            : reader
                .read(matching(number, number, filter), Sorts.ascending(Fields.ID), 1)
                .commits()
                .stream()
                .flatMap(commit -> commit.events().stream())
                .filter(event -> event.position().isAfter(after) && filter.matches(event))
                .count();
    List<Bson> pipeline = new ArrayList<>();
    pipeline.add(Aggregates.match(matching(number + 1, settled.number(), filter)));
    if (filter.types().isEmpty()) {
      pipeline.add(Aggregates.group(null, Accumulators.sum("n", "$" + Fields.COUNT)));
    } else {
      pipeline.add(Aggregates.unwind("$" + Fields.EVENTS));
      pipeline.add(Aggregates.match(Filters.in("events.type", filter.types())));
      pipeline.add(Aggregates.group(null, Accumulators.sum("n", 1)));
    }
    return count + sum(database, pipeline);
  }

  static long sum(Database database, List<Bson> pipeline) {
    Document sum =
        database.call(() -> database.collection(Schema.COMMITS).aggregate(pipeline).first());
    return sum == null ? 0 : sum.get("n", Number.class).longValue();
  }

  @Override
  public Registration onAppend(Runnable hint) {
    return hints.add(hint);
  }
}
