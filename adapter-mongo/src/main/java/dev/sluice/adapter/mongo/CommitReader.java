package dev.sluice.adapter.mongo;

import com.mongodb.client.MongoCursor;
import com.mongodb.client.model.Projections;
import java.util.ArrayList;
import java.util.List;
import org.bson.BsonDocument;
import org.bson.BsonInt64;
import org.bson.conversions.Bson;

/**
 * Reads as many commits as are likely to hold the wanted number of events. A limit counts events,
 * the server counts commits; the guess goes by what was read before.
 */
final class CommitReader {

  private final Database database;
  private final Counter counter;
  private volatile int perCommit = 1;

  CommitReader(Database database, Counter counter) {
    this.database = database;
    this.counter = counter;
  }

  /**
   * One page of commits. It is the last one if it {@link Page#ends}.
   *
   * @param wanted how many events or messages are still missing
   */
  Page read(Bson filter, Bson sort, int wanted) {
    return read(filter, sort, wanted, Integer.MAX_VALUE);
  }

  /** No more than so many commits. */
  Page read(Bson filter, Bson sort, int wanted, long atMost) {
    return read(filter, sort, wanted, atMost, Projections.fields());
  }

  Page read(Bson filter, Bson sort, int wanted, Bson projection) {
    return read(filter, sort, wanted, Integer.MAX_VALUE, projection);
  }

  private Page read(Bson filter, Bson sort, int wanted, long atMost, Bson projection) {
    int guess = wanted / perCommit + (wanted % perCommit == 0 ? 0 : 1);
    int limit = (int) Math.clamp(guess, 1, atMost);
    return database.call(
        () -> {
          List<Commit> commits = new ArrayList<>();
          int events = 0;
          long greatest = 0;
          try (MongoCursor<Commit> cursor =
              database
                  .commits()
                  .find(filter)
                  .sort(sort)
                  .projection(projection)
                  .limit(limit)
                  .batchSize(limit)
                  .cursor()) {
            // Where commits are larger than guessed, what is left of them is not fetched.
            while (events < wanted && cursor.hasNext()) {
              Commit commit = cursor.next();
              commits.add(commit);
              events += Math.max(commit.events().size(), commit.messages().size());
              greatest = Math.max(greatest, commit.number());
            }
          }
          counter.saw(greatest);
          if (events > 0) {
            learn(events / commits.size());
          }
          return new Page(commits, events < wanted && commits.size() < limit);
        });
  }

  /** How many events a commit holds that was just written or read. */
  void learn(int events) {
    perCommit = Math.max(1, (perCommit + 3 * events + 2) / 4);
  }

  record Page(List<Commit> commits, boolean ends) {}

  /** In one document: each part of an $and is another one to walk through for each commit. */
  static BsonDocument between(String field, long from, long to) {
    return new BsonDocument(
        field, new BsonDocument("$gte", new BsonInt64(from)).append("$lte", new BsonInt64(to)));
  }
}
