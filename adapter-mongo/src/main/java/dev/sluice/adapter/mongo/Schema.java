package dev.sluice.adapter.mongo;

import com.mongodb.MongoBulkWriteException;
import com.mongodb.MongoCommandException;
import com.mongodb.MongoException;
import com.mongodb.MongoWriteException;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.FindOneAndUpdateOptions;
import com.mongodb.client.model.IndexOptions;
import com.mongodb.client.model.Indexes;
import com.mongodb.client.model.ReturnDocument;
import com.mongodb.client.model.UpdateOptions;
import com.mongodb.client.model.Updates;
import dev.sluice.core.StoreRefusedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bson.BsonDocument;
import org.bson.Document;
import org.bson.conversions.Bson;
import org.bson.types.ObjectId;
import org.jspecify.annotations.Nullable;

/** Collections, indexes and the schema's version: made where they are missing, and checked. */
final class Schema {

  /** To be raised when older adapters could no longer work with what newer ones write. */
  static final int VERSION = 1;

  static final String COMMITS = "sluice_commits";
  static final String META = "sluice_meta";
  static final String CHECKPOINTS = "sluice_checkpoints";
  static final String SNAPSHOTS = "sluice_snapshots";
  static final String LEASES = "sluice_leases";
  private static final String PROBE = "sluice_probe_";
  private static final Set<String> OWN = Set.of(COMMITS, META, CHECKPOINTS, SNAPSHOTS, LEASES);
  private static final int UNAUTHORIZED = 13;
  private static final int NAMESPACE_EXISTS = 48;

  // Answers about an index that stay the same until somebody acts; whatever else comes passes, as
  // when the primary steps down meanwhile.
  private static final Set<Integer> INDEX_REFUSED =
      Set.of(
          67, // CannotCreateIndex, also: the key of a shard does not begin it
          72, // InvalidOptions
          85, // IndexOptionsConflict
          86, // IndexKeySpecsConflict
          166, // CommandNotSupportedOnView
          171, // CannotIndexParallelArrays
          197, // InvalidIndexSpecificationOption
          Database.DUPLICATE_KEY);

  record Index(String collection, String name, Bson keys, boolean unique, boolean sparse) {}

  static final List<Index> INDEXES =
      List.of(
          // One successor for each version: what makes an append win or lose.
          new Index(
              COMMITS,
              "stream_version",
              Indexes.ascending(Fields.CATEGORY, Fields.STREAM, Fields.VERSION),
              true,
              false),
          // An event id once in the whole store. Not sparse: each document has events, a filler
          // too.
          new Index(COMMITS, "event_id", Indexes.ascending("events.id"), true, false),
          new Index(
              COMMITS,
              "category_position",
              Indexes.ascending(Fields.CATEGORY, Fields.ID),
              false,
              false),
          new Index(
              COMMITS, "type_position", Indexes.ascending("events.type", Fields.ID), false, false),
          new Index(COMMITS, "outbox_position", Indexes.ascending(Fields.OUTBOX), false, true),
          new Index(SNAPSHOTS, "stream", Indexes.ascending(Fields.STREAM), false, false));

  private final Database database;

  Schema(Database database) {
    this.database = database;
  }

  void createOrCheck(boolean probe) {
    database.run(
        () -> {
          refuseNewer();
          refuseSharded();
          refuseCollations();
          boolean isNew = version() == null;
          if (isNew && probe) {
            probe();
          }
          INDEXES.forEach(this::createOrCheck);
          // Not at the first write, which may be in a caller's transaction.
          create(CHECKPOINTS);
          create(LEASES);
          if (isNew) {
            meta()
                .updateOne(
                    Filters.eq(Fields.ID, Fields.META_SCHEMA),
                    Updates.setOnInsert(Fields.VERSION, VERSION),
                    new UpdateOptions().upsert(true));
          }
          raiseCounter();
        });
  }

  private MongoCollection<Document> meta() {
    return database.collection(META);
  }

  @Nullable Integer version() {
    Document schema =
        database.call(() -> meta().find(Filters.eq(Fields.ID, Fields.META_SCHEMA)).first());
    return schema == null ? null : schema.getInteger(Fields.VERSION);
  }

  private void refuseNewer() {
    Integer version = version();
    if (version != null && version > VERSION) {
      throw new StoreRefusedException(
          database.where()
              + " holds version "
              + version
              + " of Sluice's schema, and this adapter knows version "
              + VERSION
              + "; use a newer sluice-adapter-mongo");
    }
  }

  /**
   * A unique index of a sharded collection covers all shards only if it begins with the key. The
   * server refuses such indexes too, with less of a reason; so nothing is lost where it does not
   * say whether the collection is sharded.
   */
  private void refuseSharded() {
    if (!database.topology().sharded()) {
      return;
    }
    Document stats;
    try {
      // The role readWrite allows it, which says nothing of the database config.
      stats = database.raw().runCommand(new Document("collStats", COMMITS));
    } catch (MongoCommandException e) {
      return;
    }
    if (Boolean.TRUE.equals(stats.getBoolean("sharded"))) {
      throw new StoreRefusedException(
          "the collection "
              + COMMITS
              + " in "
              + database.where()
              + " is sharded, and three unique indexes that no common shard key serves keep the"
              + " order of its events; leave it unsharded, on one shard of the cluster");
    }
  }

  /**
   * A collection that somebody has made with a default collation takes "A" for "a" in each search
   * and in each index that says nothing else, so ids of streams and names would be mixed up.
   */
  private void refuseCollations() {
    List<Document> collections;
    try {
      collections =
          database.raw().listCollections().filter(Filters.in("name", OWN)).into(new ArrayList<>());
    } catch (MongoCommandException e) {
      if (e.getErrorCode() == UNAUTHORIZED) {
        // The names alone can be asked for with less; an index that has inherited it is refused.
        return;
      }
      throw e;
    }
    for (Document collection : collections) {
      String name = collection.getString("name");
      Document options = collection.get("options", new Document());
      if (OWN.contains(name) && options.containsKey("collation")) {
        throw new StoreRefusedException(
            "the collection "
                + name
                + " in "
                + database.where()
                + " was made with a default collation, by which texts that differ can be taken for"
                + " the same; drop it if it is empty, and it is made anew at the next start, or copy"
                + " it into one without");
      }
    }
  }

  /**
   * Some servers that speak the protocol accept a unique index over an array and do not enforce it.
   * Found out once, before anything depends on it.
   */
  private void probe() {
    // Of its own: another process that starts at the same moment drops the one that it has made.
    MongoCollection<Document> probe = database.collection(PROBE + new ObjectId());
    try {
      probe.createIndex(Indexes.ascending("events.id"), new IndexOptions().unique(true));
      try {
        List<Document> twice =
            List.of(
                new Document("events", List.of(new Document("id", 1), new Document("id", 2))),
                new Document("events", List.of(new Document("id", 2))));
        probe.insertMany(twice);
      } catch (MongoBulkWriteException e) {
        if (e.getWriteErrors().stream().allMatch(w -> w.getCode() == Database.DUPLICATE_KEY)) {
          return;
        }
        throw e;
      } catch (MongoWriteException e) {
        if (Database.isDuplicateKey(e)) {
          return;
        }
        throw e;
      }
      throw new StoreRefusedException(
          "the server of "
              + database.where()
              + " accepts a unique index over an array and does not enforce it, so an event could"
              + " be stored twice; use a MongoDB server");
    } finally {
      probe.drop();
    }
  }

  private void create(String collection) {
    if (database.raw().listCollectionNames().into(new ArrayList<>()).contains(collection)) {
      return;
    }
    try {
      database.raw().createCollection(collection);
    } catch (MongoCommandException e) {
      if (e.getErrorCode() != NAMESPACE_EXISTS) {
        throw e;
      }
    }
  }

  private void createOrCheck(Index index) {
    for (Document existing : database.collection(index.collection()).listIndexes()) {
      if (index.name().equals(existing.getString("name"))) {
        check(index, existing);
        return;
      }
    }
    try {
      database
          .collection(index.collection())
          .createIndex(
              index.keys(),
              new IndexOptions().name(index.name()).unique(index.unique()).sparse(index.sparse()));
    } catch (MongoException e) {
      if (!INDEX_REFUSED.contains(e.getCode())) {
        throw e;
      }
      throw new StoreRefusedException(
          "the index "
              + index.name()
              + " on "
              + index.collection()
              + " in "
              + database.where()
              + " is missing and could not be made: "
              + e.getMessage(),
          e);
    }
  }

  private void check(Index index, Document existing) {
    boolean asWanted =
        directions(index.keys().toBsonDocument())
                .equals(
                    directions(
                        existing
                            .get("key", Document.class)
                            .toBsonDocument(BsonDocument.class, database.raw().getCodecRegistry())))
            && index.unique() == Boolean.TRUE.equals(existing.getBoolean("unique"))
            && index.sparse() == Boolean.TRUE.equals(existing.getBoolean("sparse"))
            && !existing.containsKey("partialFilterExpression")
            && !existing.containsKey("collation");
    if (!asWanted) {
      throw new StoreRefusedException(
          "the index "
              + index.name()
              + " on "
              + index.collection()
              + " in "
              + database.where()
              + " is not what Sluice needs ("
              + (index.unique() ? "unique " : "")
              + (index.sparse() ? "sparse " : "")
              + index.keys().toBsonDocument()
              + ", nothing else), but "
              + existing.toJson()
              + "; drop it, and it is made anew at the next start");
    }
  }

  /** The keys in their order, each with its direction, which may be any kind of number. */
  private static List<String> directions(BsonDocument keys) {
    return keys.entrySet().stream()
        .map(
            key ->
                key.getKey()
                    + (key.getValue().isNumber()
                        ? Math.signum(key.getValue().asNumber().doubleValue())
                        : key.getValue()))
        .toList();
  }

  /** A counter that lies behind the commits, as after a restore of a part, goes on behind them. */
  private void raiseCounter() {
    meta()
        .findOneAndUpdate(
            Filters.eq(Fields.ID, Fields.META_COUNTER),
            Updates.max(Fields.VALUE, database.lastNumber()),
            new FindOneAndUpdateOptions().upsert(true).returnDocument(ReturnDocument.AFTER));
  }
}
