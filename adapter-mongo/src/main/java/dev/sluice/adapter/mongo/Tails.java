package dev.sluice.adapter.mongo;

import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Projections;
import com.mongodb.client.model.Sorts;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bson.Document;
import org.bson.conversions.Bson;
import org.jspecify.annotations.Nullable;

/**
 * The last versions of streams, and what this process remembers of them.
 *
 * <p>A remembered tail may be old and is good nevertheless: it was the tail once, which is all that
 * an append needs to know before it draws. If it is no longer, the unique index on stream and
 * version says so. But only a tail that was just read may refuse an append.
 *
 * <p>A commit behind a tail that a crash has taken back would leave a gap, and no index says so.
 * Hence nothing is remembered that a crash can take back, and where the journal lags, a tail that
 * was read is put into it before anything is appended behind.
 */
final class Tails {

  private static final int REMEMBERED = 10_000;

  private final Database database;
  private final Counter counter;
  private final Journal journal;
  private final boolean readsLast;
  private final boolean writesLast;
  private final Map<StreamId, Long> remembered =
      Collections.synchronizedMap(
          new LinkedHashMap<StreamId, Long>(256, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<StreamId, Long> eldest) {
              return size() > REMEMBERED;
            }
          });

  /**
   * Remembers nothing yet.
   *
   * @param readsLast whether what is read survives the loss of a server
   * @param writesLast whether what is acknowledged does
   */
  Tails(
      Database database, Counter counter, Journal journal, boolean readsLast, boolean writesLast) {
    this.database = database;
    this.counter = counter;
    this.journal = journal;
    this.readsLast = readsLast;
    this.writesLast = writesLast;
  }

  /** An append of this process ends there. */
  void stored(StreamId stream, long version) {
    if (writesLast || readsLast) {
      remember(stream, version);
    }
  }

  /** A commit that was read ends there. */
  void saw(StreamId stream, long version) {
    if (readsLast) {
      remember(stream, version);
    }
  }

  private void remember(StreamId stream, long version) {
    remembered.merge(stream, version, Math::max);
  }

  /** A tail that the stream has or had, and that the append expects; or null, then read it. */
  @Nullable Long asExpected(Append append) {
    if (append.expected().isMetBy(0) && !append.expected().isMetBy(1)) {
      // Every stream was empty once.
      return 0L;
    }
    Long version = remembered.get(append.stream());
    return version != null && append.expected().isMetBy(version) ? version : null;
  }

  /** The tail as it is now; where the journal lags, one that it has. */
  long read(StreamId stream) {
    while (true) {
      long settled = journal.settled();
      Document last =
          database.call(
              () ->
                  database
                      .collection(Schema.COMMITS)
                      .find(ofStream(stream))
                      .sort(Sorts.descending(Fields.VERSION))
                      .projection(Projections.include(Fields.ID, Fields.VERSION, Fields.COUNT))
                      .limit(1)
                      .first());
      if (last == null) {
        return 0;
      }
      long number = last.getLong(Fields.ID);
      counter.saw(number);
      long version = lastVersion(last);
      if (!journal.lags()) {
        saw(stream, version);
        return version;
      }
      if (number <= settled || journal.has(same(stream, last), 1)) {
        remember(stream, version);
        return version;
      }
    }
  }

  /** After a crash there may be another commit with this number. */
  private static Bson same(StreamId stream, Document commit) {
    return Filters.and(
        Filters.eq(Fields.ID, commit.getLong(Fields.ID)),
        ofStream(stream),
        Filters.eq(Fields.VERSION, commit.getLong(Fields.VERSION)),
        Filters.eq(Fields.COUNT, commit.getInteger(Fields.COUNT)));
  }

  static long lastVersion(Document commit) {
    return commit.getLong(Fields.VERSION) + commit.getInteger(Fields.COUNT) - 1;
  }

  static Bson ofStream(StreamId stream) {
    return Filters.and(
        Filters.eq(Fields.CATEGORY, stream.category()), Filters.eq(Fields.STREAM, stream.id()));
  }
}
