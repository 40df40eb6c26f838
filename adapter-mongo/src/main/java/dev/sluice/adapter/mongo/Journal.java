package dev.sluice.adapter.mongo;

import com.mongodb.client.model.Updates;
import org.bson.conversions.Bson;

/**
 * What is safe from a crash, on a server that shows commits before its journal has them. What was
 * read there can be gone a moment later, without a connection that fails in between: the driver may
 * have opened another one to the server that came back.
 */
final class Journal {

  // A write that changes nothing waits for the journal like any other. So one command tells that
  // the commits are there and puts them into the journal, with no crash in between.
  private static final Bson NOTHING = Updates.unset("nothing");

  private final Database database;
  private volatile long settled;

  Journal(Database database) {
    this.database = database;
  }

  /** Whether reads show what only {@link #has} makes safe. */
  boolean lags() {
    return database.showsUnjournaled();
  }

  /** Whether so many commits match, and will after any crash. */
  boolean has(Bson commits, long count) {
    return database.call(
        () ->
            database.collection(Schema.COMMITS).updateMany(commits, NOTHING).getMatchedCount()
                == count);
  }

  /** All commits up to this number are known to be safe. */
  void settledUpTo(long number) {
    settled = number;
  }

  /**
   * Up to where that is known without asking. To be asked before what it is about is read: after a
   * crash another commit may get the number of one that was read, and be settled.
   */
  long settled() {
    return settled;
  }
}
