package dev.sluice.adapter.mongo;

import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Sorts;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.bson.BsonBinary;
import org.bson.conversions.Bson;
import org.jspecify.annotations.Nullable;

/**
 * Check the stream's tail, draw a number, insert; on a duplicate key fill the number, look whether
 * the own event ids are stored, start again. In that order: a number that is drawn after the tail
 * was seen is greater than the tail's, which puts each stream in order inside the order of all.
 *
 * <p>Why no version is there twice, whatever the sizes of commits: a commit begins one above the
 * last version of a commit that its writer has seen, its predecessor. Two commits with the same
 * predecessor begin with the same version, and the unique index lets in one. So the commits of a
 * stream are a chain, and the versions in it do not overlap. That needs each writer to have seen
 * its predecessor; a version that a caller only states is therefore never inserted behind. And that
 * the predecessor can't vanish any more, see {@link Tails}.
 */
final class MongoEventStore implements EventStore {

  private static final int MAX_OVERTAKEN = 20;

  /** So long does an append wait for others of its stream, or for a transaction in its way. */
  static final Duration PATIENCE = Duration.ofSeconds(10);

  // After that, to learn what has become of it.
  private static final Duration LAST_WORD = Duration.ofSeconds(1);

  private final Database database;
  private final Counter counter;
  private final CommitReader reader;
  private final Tails tails;
  private final Journal journal;
  private final Committer committer;
  private final Hints hints;
  private final Duration patience;
  private final Turns turns = new Turns();

  MongoEventStore(
      Database database,
      Counter counter,
      CommitReader reader,
      Tails tails,
      Journal journal,
      Committer committer,
      Hints hints,
      Duration patience) {
    this.database = database;
    this.counter = counter;
    this.reader = reader;
    this.tails = tails;
    this.journal = journal;
    this.committer = committer;
    this.hints = hints;
    this.patience = patience;
  }

  @Override
  public AppendResult append(Append append) {
    database.requireOpen();
    EncodedCommit commit = EncodedCommit.of(append, database.maxDocumentBytes());
    // One for all of it, so that appends behind each other don't add up what each waits for.
    Deadline deadline = Deadline.after(patience.plus(Committer.PATIENCE));
    Turns.Turn turn = turns.await(append.stream(), patience);
    try {
      return append(append, commit, deadline);
    } finally {
      turn.end();
    }
  }

  private AppendResult append(Append append, EncodedCommit commit, Deadline deadline) {
    Long remembered = tails.asExpected(append);
    long tail = remembered == null ? tails.read(append.stream()) : remembered;
    int overtaken = 0;
    boolean alone = false;
    while (true) {
      if (!append.expected().isMetBy(tail)) {
        // The tail is read first and the ids after that: once the tail has moved, an earlier try
        // that is still on its way can no longer get in.
        long actual = tail;
        return repeated(append).orElseThrow(() -> append.conflict(actual));
      }
      Committer.Outcome outcome =
          alone
              ? committer.commitAlone(commit, tail + 1, deadline.left())
              : committer.commit(commit, tail + 1);
      switch (outcome) {
        case Committer.Outcome.Stored(long number) -> {
          hints.appended();
          reader.learn(commit.count());
          long last = tail + commit.count();
          tails.stored(append.stream(), last);
          return new AppendResult(tail + 1, last, Positions.of(number, commit.count() - 1));
        }
        case Committer.Outcome.Failed(RuntimeException cause) -> throw cause;
        case Committer.Outcome.DuplicateKey() -> {
          Optional<AppendResult> repeated = repeated(append);
          if (repeated.isPresent()) {
            return repeated.get();
          }
          long now = tails.read(append.stream());
          overtaken = now == tail ? overtaken + 1 : 0;
          if (overtaken > 1) {
            counter.passStored();
          }
          if (overtaken > MAX_OVERTAKEN) {
            throw overtaken(append);
          }
          tail = now;
        }
        case Committer.Outcome.Undecided(long number) -> {
          if (!committer.settle(number, deadline.left().plus(LAST_WORD))) {
            throw inTheWay(append);
          }
          Optional<AppendResult> stored = repeated(append);
          if (stored.isPresent()) {
            return stored.get();
          }
          if (deadline.isOver()) {
            throw inTheWay(append);
          }
          alone = true;
          tail = tails.read(append.stream());
        }
      }
    }
  }

  private record Deadline(long nanos) {

    static Deadline after(Duration duration) {
      return new Deadline(System.nanoTime() + duration.toNanos());
    }

    boolean isOver() {
      return nanos - System.nanoTime() <= 0;
    }

    Duration left() {
      return Duration.ofNanos(Math.max(nanos - System.nanoTime(), 1_000_000));
    }
  }

  private StoreUnavailableException inTheWay(Append append) {
    return new StoreUnavailableException(
        "the append to "
            + append.stream()
            + " in "
            + database.where()
            + " got no answer within "
            + patience.plus(Committer.PATIENCE).toSeconds()
            + " s; a transaction that has appended there and is still open makes it wait (inside of"
            + " one append through eventStore(session)), or the server is slow; repeat the call"
            + " with the same ids",
        new IllegalStateException("no answer in time"));
  }

  private StoreUnavailableException overtaken(Append append) {
    return new StoreUnavailableException(
        "readers filled the numbers that the append to "
            + append.stream()
            + " had drawn "
            + MAX_OVERTAKEN
            + " times before it could insert; the way to "
            + database.where()
            + " takes longer than the fillers' grace, raise MongoStorage.Builder.fillAfter; or the"
            + " write concern is below majority, and reads don't show yet what was written",
        new IllegalStateException("overtaken by fillers"));
  }

  /** What the first try returned, if this append is stored already. */
  Optional<AppendResult> repeated(Append append) {
    return append.repeatOf(stored(append.ids()));
  }

  /** Where the journal lags, only what it has: a try must not be confirmed that a crash undoes. */
  private List<StoredEvent> stored(List<UUID> ids) {
    long settled = journal.settled();
    List<StoredEvent> found = look(ids);
    boolean safe =
        !journal.lags()
            || found.stream().allMatch(event -> Positions.number(event.position()) <= settled);
    while (!safe) {
      boolean there = inJournal(found);
      // After a crash the same ids may stand there otherwise.
      List<StoredEvent> again = look(ids);
      safe = again.isEmpty() || (there && again.equals(found));
      found = again;
    }
    return found;
  }

  private boolean inJournal(List<StoredEvent> events) {
    Set<Long> numbers = new HashSet<>();
    events.forEach(event -> numbers.add(Positions.number(event.position())));
    return journal.has(
        Filters.and(
            Filters.in(Fields.ID, numbers),
            Filters.in("events.id", events.stream().map(event -> Values.id(event.id())).toList())),
        numbers.size());
  }

  private List<StoredEvent> look(List<UUID> ids) {
    List<BsonBinary> wanted = ids.stream().map(Values::id).toList();
    Set<UUID> own = new HashSet<>(ids);
    // A set, because a server may return a document once for each id that it matched.
    Set<StoredEvent> found = new LinkedHashSet<>();
    database.run(
        () ->
            database
                .commits()
                .find(Filters.in("events.id", wanted))
                .forEach(
                    commit ->
                        commit.stored().stream()
                            .filter(event -> own.contains(event.id()))
                            .forEach(found::add)));
    return List.copyOf(found);
  }

  @Override
  public Optional<StoredEvent> find(UUID eventId) {
    return stored(List.of(eventId)).stream().findFirst();
  }

  @Override
  public List<RecordedEvent> read(StreamId stream, StreamRange range) {
    return range.backwards() ? readBackwards(stream, range) : readForwards(stream, range);
  }

  private List<RecordedEvent> readForwards(StreamId stream, StreamRange range) {
    List<RecordedEvent> events = new ArrayList<>();
    long next = range.from();
    boolean ends = false;
    while (!ends && events.size() < range.limit()) {
      CommitReader.Page page =
          reader.read(
              versions(stream, Filters.gte(Fields.VERSION, next)),
              Sorts.ascending(Fields.VERSION),
              range.limit() - events.size());
      if (events.isEmpty() && next > 1) {
        Commit around = containing(stream, next, page);
        if (around != null) {
          next = take(around, next, range.limit(), events);
        }
      }
      for (Commit commit : page.commits()) {
        next = take(commit, next, range.limit(), events);
      }
      ends = page.ends();
    }
    return events;
  }

  /**
   * The commit that begins before a version and contains it, if the page does not begin with it.
   */
  private @Nullable Commit containing(StreamId stream, long version, CommitReader.Page page) {
    if (!page.commits().isEmpty() && page.commits().getFirst().version() == version) {
      return null;
    }
    List<Commit> before =
        reader
            .read(
                versions(stream, Filters.lt(Fields.VERSION, version)),
                Sorts.descending(Fields.VERSION),
                1)
            .commits();
    return before.isEmpty() ? null : before.getFirst();
  }

  private long take(Commit commit, long from, int limit, List<RecordedEvent> events) {
    long last = from - 1;
    for (RecordedEvent event : commit.events()) {
      if (event.version() >= from && events.size() < limit) {
        events.add(event);
        last = event.version();
      }
    }
    long tail = commit.version() + commit.count() - 1;
    if (last == tail && commit.stream() != null) {
      tails.saw(commit.stream(), tail);
    }
    return last + 1;
  }

  private List<RecordedEvent> readBackwards(StreamId stream, StreamRange range) {
    List<RecordedEvent> events = new ArrayList<>();
    long next = range.from();
    boolean ends = false;
    while (!ends && events.size() < range.limit() && next > 0) {
      CommitReader.Page page =
          reader.read(
              versions(stream, Filters.lte(Fields.VERSION, next)),
              Sorts.descending(Fields.VERSION),
              range.limit() - events.size());
      for (Commit commit : page.commits()) {
        for (RecordedEvent event : commit.events().reversed()) {
          if (event.version() <= next && events.size() < range.limit()) {
            events.add(event);
          }
        }
        next = commit.version() - 1;
      }
      ends = page.ends();
    }
    return events;
  }

  private static Bson versions(StreamId stream, Bson which) {
    return Filters.and(
        Filters.eq(Fields.CATEGORY, stream.category()),
        Filters.eq(Fields.STREAM, stream.id()),
        which);
  }
}
