package dev.sluice.adapter.mongo;

import com.mongodb.client.MongoCursor;
import com.mongodb.client.model.Accumulators;
import com.mongodb.client.model.Aggregates;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Projections;
import com.mongodb.client.model.Sorts;
import com.mongodb.client.model.UpdateOptions;
import com.mongodb.client.model.Updates;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import java.util.ArrayList;
import java.util.List;
import org.bson.Document;
import org.bson.conversions.Bson;

/**
 * The messages in the commits. They stand in the documents of their events, so they exist if and
 * only if these do; pruning takes them out of there.
 */
final class MongoOutbox implements Outbox {

  private static final Bson ONLY_MESSAGES = Projections.include(Fields.ID, Fields.MESSAGES);
  private static final Bson ONLY_INDEXES =
      Projections.include(Fields.ID, Fields.MESSAGES + "." + Fields.INDEX);
  private static final int PRUNE_COMMITS = 500;

  private final Database database;
  private final CommitReader reader;
  private final Frontier frontier;
  private final CheckpointStore checkpoints;
  private final Hints hints;

  MongoOutbox(
      Database database,
      CommitReader reader,
      Frontier frontier,
      CheckpointStore checkpoints,
      Hints hints) {
    this.database = database;
    this.reader = reader;
    this.frontier = frontier;
    this.checkpoints = checkpoints;
    this.hints = hints;
  }

  @Override
  public List<OutboxMessage> read(Position after, int limit) {
    Outbox.checkedLimit(limit);
    List<OutboxMessage> messages = new ArrayList<>();
    Frontier.Settled settled = frontier.known();
    collect(messages, after, Positions.number(after), settled.number(), limit);
    if (messages.size() < limit) {
      long done = settled.number();
      settled = frontier.advance();
      collect(
          messages, after, Math.max(Positions.number(after), done + 1), settled.number(), limit);
    }
    return messages;
  }

  private void collect(
      List<OutboxMessage> messages, Position after, long from, long to, int limit) {
    long next = from;
    boolean ends = false;
    while (!ends && messages.size() < limit && next <= to) {
      CommitReader.Page page =
          reader.read(
              CommitReader.between(Fields.OUTBOX, next, to),
              Sorts.ascending(Fields.OUTBOX),
              limit - messages.size(),
              ONLY_MESSAGES);
      for (Commit commit : page.commits()) {
        for (OutboxMessage message : commit.messages()) {
          if (message.position().isAfter(after) && messages.size() < limit) {
            messages.add(message);
          }
        }
        next = commit.number() + 1;
      }
      ends = page.ends();
    }
  }

  @Override
  public Position head() {
    Frontier.Settled settled = frontier.advance();
    Position last =
        reader
            .read(
                CommitReader.between(Fields.OUTBOX, 0, settled.number()),
                Sorts.descending(Fields.OUTBOX),
                1,
                ONLY_MESSAGES)
            .commits()
            .stream()
            .map(commit -> commit.messages().getLast().position())
            .findFirst()
            .orElse(Position.START);
    // After the commits: pruning marks first what it then takes out of them.
    return Position.max(last, pruned());
  }

  private Position pruned() {
    Document pruned =
        database.call(
            () ->
                database
                    .collection(Schema.META)
                    .find(Filters.eq(Fields.ID, Fields.META_PRUNED))
                    .first());
    return pruned == null ? Position.START : new Position(pruned.getLong(Fields.VALUE));
  }

  @Override
  public long count(Position after) {
    Frontier.Settled settled = frontier.advance();
    long number = Positions.number(after);
    long count =
        number > settled.number()
            ? 0
            : reader
                .read(
                    CommitReader.between(Fields.OUTBOX, number, number),
                    Sorts.ascending(Fields.OUTBOX),
                    1,
                    ONLY_MESSAGES)
                .commits()
                .stream()
                .flatMap(commit -> commit.messages().stream())
                .filter(message -> message.position().isAfter(after))
                .count();
    return count
        + MongoGlobalLog.sum(
            database,
            List.of(
                Aggregates.match(CommitReader.between(Fields.OUTBOX, number + 1, settled.number())),
                Aggregates.unwind("$" + Fields.MESSAGES),
                Aggregates.group(null, Accumulators.sum("n", 1))));
  }

  @Override
  public int prune(int max) {
    if (max < 1) {
      throw new IllegalArgumentException("at least one message is pruned, not " + max);
    }
    Position bound =
        checkpoints.list(RELAY_PREFIX).stream()
            .map(Checkpoint::position)
            .min(Position::compareTo)
            .orElse(Position.START);
    if (Positions.number(bound) > frontier.known().number()) {
      // A process that only cleans up has read nothing yet.
      frontier.advance();
    }
    int removed = 0;
    while (removed < max) {
      int now = pruneSome(bound, max - removed);
      if (now == 0) {
        break;
      }
      removed += now;
    }
    return removed;
  }

  /** Of a few commits; the messages themselves are not fetched for that. */
  private int pruneSome(Position bound, int max) {
    Bson passed =
        CommitReader.between(
            Fields.OUTBOX, 0, Math.min(Positions.number(bound), frontier.known().number()));
    return database.call(
        () -> {
          int removed = 0;
          List<Long> whole = new ArrayList<>();
          Position last = Position.START;
          try (MongoCursor<Document> commits =
              database
                  .collection(Schema.COMMITS)
                  .find(passed)
                  .sort(Sorts.ascending(Fields.OUTBOX))
                  .projection(ONLY_INDEXES)
                  .limit(Math.min(max, PRUNE_COMMITS))
                  .cursor()) {
            boolean more = true;
            while (more && commits.hasNext()) {
              List<Position> positions = positions(commits.next());
              List<Position> going =
                  positions.stream()
                      .filter(position -> !position.isAfter(bound))
                      .limit(max - removed)
                      .toList();
              more = going.size() == positions.size();
              removed += going.size();
              last = going.isEmpty() ? last : going.getLast();
              if (more) {
                whole.add(Positions.number(last));
              }
            }
          }
          if (removed > 0) {
            remove(whole, last);
          }
          return removed;
        });
  }

  private static List<Position> positions(Document commit) {
    return commit.getList(Fields.MESSAGES, Document.class).stream()
        .map(message -> Positions.of(commit.getLong(Fields.ID), message.getInteger(Fields.INDEX)))
        .toList();
  }

  private void remove(List<Long> whole, Position last) {
    database.run(
        () -> {
          // The mark first: head() must not go back if this process dies in between.
          database
              .collection(Schema.META)
              .updateOne(
                  Filters.eq(Fields.ID, Fields.META_PRUNED),
                  Updates.max(Fields.VALUE, last.value()),
                  new UpdateOptions().upsert(true));
          database
              .collection(Schema.COMMITS)
              .updateMany(
                  Filters.in(Fields.ID, whole),
                  Updates.combine(Updates.unset(Fields.OUTBOX), Updates.unset(Fields.MESSAGES)));
          long number = Positions.number(last);
          if (!whole.contains(number)) {
            database
                .collection(Schema.COMMITS)
                .updateOne(
                    Filters.eq(Fields.ID, number),
                    Updates.pull(
                        Fields.MESSAGES, Filters.lte(Fields.INDEX, Positions.index(last))));
          }
        });
  }

  @Override
  public Registration onAppend(Runnable hint) {
    return hints.add(hint);
  }
}
