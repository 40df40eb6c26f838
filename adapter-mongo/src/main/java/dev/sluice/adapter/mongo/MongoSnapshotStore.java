package dev.sluice.adapter.mongo;

import com.mongodb.MongoWriteException;
import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.ReplaceOptions;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.SnapshotStore;
import java.util.Optional;
import org.bson.BsonDocument;
import org.bson.BsonInt64;
import org.bson.BsonString;
import org.bson.conversions.Bson;
import org.jspecify.annotations.Nullable;

/** One document for each stream and schema; in a caller's session if given. */
final class MongoSnapshotStore implements SnapshotStore {

  private final Database database;
  private final @Nullable ClientSession session;

  MongoSnapshotStore(Database database, @Nullable ClientSession session) {
    this.database = database;
    this.session = session;
  }

  private MongoCollection<BsonDocument> snapshots() {
    if (session != null) {
      database.terms().check(session);
    }
    return database.raw().getCollection(Schema.SNAPSHOTS, BsonDocument.class);
  }

  /** A stream's text form has no control characters, so the line break separates. */
  private static String id(StreamId stream, String schema) {
    return stream + "\n" + Values.text("a snapshot's schema name", schema);
  }

  @Override
  public Optional<Snapshot> load(StreamId stream, String schema) {
    Bson byId = Filters.eq(Fields.ID, id(stream, schema));
    BsonDocument found =
        database.call(
            () ->
                (session == null ? snapshots().find(byId) : snapshots().find(session, byId))
                    .first());
    return Optional.ofNullable(found)
        .map(
            document ->
                new Snapshot(
                    stream,
                    schema,
                    document.getNumber(Fields.VERSION).longValue(),
                    Values.payload(document, Fields.STATE)));
  }

  @Override
  public void save(Snapshot snapshot) {
    String id = id(snapshot.stream(), snapshot.schema());
    BsonDocument document =
        new BsonDocument(Fields.ID, new BsonString(id))
            .append(Fields.STREAM, new BsonString(snapshot.stream().toString()))
            .append(Fields.SCHEMA, new BsonString(snapshot.schema()))
            .append(Fields.VERSION, new BsonInt64(snapshot.version()))
            .append(Fields.STATE, Values.payload(snapshot.state()));
    database.run(
        () -> {
          try {
            replace(id, document);
          } catch (MongoWriteException e) {
            // In a transaction the server has ended it.
            if (session != null || !Database.isDuplicateKey(e)) {
              throw e;
            }
            // Somebody else inserted it in the same moment; now it is there to be replaced.
            replace(id, document);
          }
        });
  }

  private void replace(String id, BsonDocument document) {
    Bson byId = Filters.eq(Fields.ID, id);
    ReplaceOptions upsert = new ReplaceOptions().upsert(true);
    if (session == null) {
      snapshots().replaceOne(byId, document, upsert);
    } else {
      snapshots().replaceOne(session, byId, document, upsert);
    }
  }

  @Override
  public void delete(StreamId stream) {
    database.run(
        () -> {
          Bson byStream = Filters.eq(Fields.STREAM, stream.toString());
          if (session == null) {
            snapshots().deleteMany(byStream);
          } else {
            snapshots().deleteMany(session, byStream);
          }
        });
  }
}
