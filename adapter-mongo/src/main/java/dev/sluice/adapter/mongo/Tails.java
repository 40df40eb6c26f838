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
 */
final class Tails {

  private static final int REMEMBERED = 10_000;

  private final Database database;
  private final Counter counter;
  private final Map<StreamId, Long> remembered =
      Collections.synchronizedMap(
          new LinkedHashMap<StreamId, Long>(256, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<StreamId, Long> eldest) {
              return size() > REMEMBERED;
            }
          });

  Tails(Database database, Counter counter) {
    this.database = database;
    this.counter = counter;
  }

  void remember(StreamId stream, long version) {
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

  /** The tail as it is now. */
  long read(StreamId stream) {
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
    counter.saw(last.getLong(Fields.ID));
    long version = lastVersion(last);
    remember(stream, version);
    return version;
  }

  static long lastVersion(Document commit) {
    return commit.getLong(Fields.VERSION) + commit.getInteger(Fields.COUNT) - 1;
  }

  static Bson ofStream(StreamId stream) {
    return Filters.and(
        Filters.eq(Fields.CATEGORY, stream.category()), Filters.eq(Fields.STREAM, stream.id()));
  }
}
