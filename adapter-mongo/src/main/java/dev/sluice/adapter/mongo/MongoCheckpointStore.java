package dev.sluice.adapter.mongo;

import com.mongodb.MongoWriteException;
import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.MongoCursor;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Sorts;
import com.mongodb.client.model.Updates;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bson.BsonDocument;
import org.bson.BsonInt64;
import org.bson.BsonString;
import org.bson.conversions.Bson;
import org.jspecify.annotations.Nullable;

/** One document for each checkpoint, replaced under a condition; in a caller's session if given. */
final class MongoCheckpointStore implements CheckpointStore {

  private final Database database;
  private final @Nullable ClientSession session;

  MongoCheckpointStore(Database database, @Nullable ClientSession session) {
    this.database = database;
    this.session = session;
  }

  private MongoCollection<BsonDocument> checkpoints() {
    if (session != null) {
      database.terms().check(session);
    }
    return database.raw().getCollection(Schema.CHECKPOINTS, BsonDocument.class);
  }

  @Override
  public Optional<Checkpoint> load(String name) {
    Bson byName = Filters.eq(Fields.ID, name);
    return database.call(
        () ->
            Optional.ofNullable(
                    (session == null
                            ? checkpoints().find(byName)
                            : checkpoints().find(session, byName))
                        .first())
                .map(MongoCheckpointStore::checkpoint));
  }

  @Override
  public void save(Checkpoint checkpoint) {
    boolean saved =
        database.call(() -> checkpoint.revision() == 1 ? insert(checkpoint) : update(checkpoint));
    if (!saved) {
      // Outside of the session: a transaction that met a duplicate key can't be asked any more.
      throw new CheckpointConflictException(
          checkpoint, new MongoCheckpointStore(database, null).load(checkpoint.name()));
    }
  }

  private boolean insert(Checkpoint checkpoint) {
    BsonDocument document =
        new BsonDocument(Fields.ID, new BsonString(Values.text("a name", checkpoint.name())))
            .append(Fields.POSITION, new BsonInt64(checkpoint.position().value()))
            .append(Fields.STATE, Values.payload(checkpoint.state()))
            .append(Fields.TOKEN, new BsonInt64(checkpoint.token()))
            .append(Fields.REVISION, new BsonInt64(1));
    try {
      if (session == null) {
        checkpoints().insertOne(document);
      } else {
        checkpoints().insertOne(session, document);
      }
      return true;
    } catch (MongoWriteException e) {
      if (Database.isDuplicateKey(e)) {
        return false;
      }
      throw e;
    }
  }

  private boolean update(Checkpoint checkpoint) {
    Bson predecessor =
        Filters.and(
            Filters.eq(Fields.ID, checkpoint.name()),
            Filters.eq(Fields.REVISION, checkpoint.revision() - 1),
            Filters.lte(Fields.TOKEN, checkpoint.token()),
            Filters.lte(Fields.POSITION, checkpoint.position().value()));
    Bson changes =
        Updates.combine(
            Updates.set(Fields.POSITION, checkpoint.position().value()),
            Updates.set(Fields.STATE, Values.payload(checkpoint.state())),
            Updates.set(Fields.TOKEN, checkpoint.token()),
            Updates.set(Fields.REVISION, checkpoint.revision()));
    return (session == null
                ? checkpoints().updateOne(predecessor, changes)
                : checkpoints().updateOne(session, predecessor, changes))
            .getMatchedCount()
        == 1;
  }

  @Override
  public List<Checkpoint> list(String prefix) {
    return database.call(
        () -> {
          List<Checkpoint> found = new ArrayList<>();
          Bson from = Filters.gte(Fields.ID, prefix);
          try (MongoCursor<BsonDocument> cursor =
              (session == null ? checkpoints().find(from) : checkpoints().find(session, from))
                  .sort(Sorts.ascending(Fields.ID))
                  .cursor()) {
            while (cursor.hasNext()) {
              Checkpoint checkpoint = checkpoint(cursor.next());
              if (!checkpoint.name().startsWith(prefix)) {
                break;
              }
              found.add(checkpoint);
            }
          }
          return found;
        });
  }

  @Override
  public void delete(String name) {
    database.run(
        () -> {
          Bson byName = Filters.eq(Fields.ID, name);
          if (session == null) {
            checkpoints().deleteOne(byName);
          } else {
            checkpoints().deleteOne(session, byName);
          }
        });
  }

  private static Checkpoint checkpoint(BsonDocument document) {
    return new Checkpoint(
        document.getString(Fields.ID).getValue(),
        new Position(document.getNumber(Fields.POSITION).longValue()),
        Values.payload(document, Fields.STATE),
        document.getNumber(Fields.TOKEN).longValue(),
        document.getNumber(Fields.REVISION).longValue());
  }
}
