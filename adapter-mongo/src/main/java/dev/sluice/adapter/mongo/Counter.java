package dev.sluice.adapter.mongo;

import com.mongodb.WriteConcern;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.FindOneAndUpdateOptions;
import com.mongodb.client.model.ReturnDocument;
import com.mongodb.client.model.UpdateOptions;
import com.mongodb.client.model.Updates;
import java.util.concurrent.atomic.AtomicLong;
import org.bson.Document;

/**
 * Draws the numbers of commits.
 *
 * <p>A draw waits for no replica and for no journal: the insert that follows does, and what comes
 * first in the server's log is durable whenever the later thing is. Only a server that is lost
 * between the two can leave a commit behind whose draw is forgotten. That is why a number must lie
 * above everything that this process has seen, and the counter is raised where it does not: else an
 * append could get a place before events that were read before it.
 */
final class Counter {

  private final Database database;
  private final AtomicLong seen = new AtomicLong();

  Counter(Database database) {
    this.database = database;
  }

  /** Somebody in this process has read a commit with this number, or inserted it. */
  void saw(long number) {
    seen.accumulateAndGet(number, Math::max);
  }

  /**
   * Whatever is stored counts as seen, so that the next number is free, also if draws were lost.
   */
  void passStored() {
    saw(database.lastNumber());
  }

  /** Draws consecutive numbers and returns the first. */
  long draw(int count) {
    MongoCollection<Document> meta =
        database.collection(Schema.META).withWriteConcern(WriteConcern.W1);
    while (true) {
      long mustBeAbove = seen.get();
      long first =
          database.call(
              () -> {
                Document before =
                    meta.findOneAndUpdate(
                        Filters.eq(Fields.ID, Fields.META_COUNTER),
                        Updates.inc(Fields.VALUE, (long) count),
                        new FindOneAndUpdateOptions()
                            .upsert(true)
                            .returnDocument(ReturnDocument.BEFORE));
                return before == null ? 1 : before.getLong(Fields.VALUE) + 1;
              });
      if (first > mustBeAbove) {
        return first;
      }
      raiseTo(mustBeAbove);
    }
  }

  /** Never lowers it. */
  void raiseTo(long number) {
    database.run(
        () -> {
          database
              .collection(Schema.META)
              .updateOne(
                  Filters.eq(Fields.ID, Fields.META_COUNTER),
                  Updates.max(Fields.VALUE, number),
                  new UpdateOptions().upsert(true));
        });
  }
}
