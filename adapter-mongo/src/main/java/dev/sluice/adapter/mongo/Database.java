package dev.sluice.adapter.mongo;

import com.mongodb.MongoClientSettings;
import com.mongodb.MongoCommandException;
import com.mongodb.MongoException;
import com.mongodb.MongoIncompatibleDriverException;
import com.mongodb.MongoSecurityException;
import com.mongodb.MongoWriteException;
import com.mongodb.ReadConcern;
import com.mongodb.ReadPreference;
import com.mongodb.WriteConcern;
import com.mongodb.bulk.WriteConcernError;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.MongoDatabase;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.FindOneAndUpdateOptions;
import com.mongodb.client.model.Projections;
import com.mongodb.client.model.ReturnDocument;
import com.mongodb.client.model.Sorts;
import com.mongodb.client.model.Updates;
import com.mongodb.connection.ClusterDescription;
import com.mongodb.connection.ServerDescription;
import dev.sluice.core.NotStorableException;
import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import java.time.Instant;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import org.bson.BsonMaximumSizeExceededException;
import org.bson.Document;
import org.bson.RawBsonDocument;
import org.bson.codecs.configuration.CodecRegistries;
import org.jspecify.annotations.Nullable;

/**
 * The collections, how they are read and written, and the one place where errors are translated.
 */
final class Database {

  static final int DUPLICATE_KEY = 11000;

  // Unauthorized, AuthenticationFailed, and what hosted servers answer instead.
  private static final Set<Integer> NOT_ALLOWED = Set.of(13, 18, 8000);
  private static final Set<Integer> NOT_PRIMARY = Set.of(10058, 10107, 13435);
  private static final int COMMAND_NOT_FOUND = 59;
  private static final int MAX_TIME_EXPIRED = 50;
  private static final String OLD_HELLO = "isMaster";

  private final MongoClient client;
  private final MongoDatabase database;
  private final MongoDatabase admin;
  private final String where;
  private final Topology topology;
  private final TransactionTerms terms;
  private volatile boolean closed;
  // Servers before 5.0 know only the older command.
  private volatile String helloCommand = "hello";

  /** Connects, and asks the server what it is. */
  Database(MongoClient client, String name, Concerns concerns) {
    this.client = client;
    this.database =
        own(client.getDatabase(name))
            .withWriteConcern(concerns.write())
            .withReadConcern(concerns.read())
            // A secondary may lag behind: S7 is about reads from the primary.
            .withReadPreference(ReadPreference.primary());
    this.admin = own(client.getDatabase("admin"));
    this.where = "the MongoDB database '" + name + "'";
    this.topology =
        Topology.of(
            translating(this::hello),
            translating(this::build),
            client.getClusterDescription().getConnectionMode(),
            this.where);
    this.terms = new TransactionTerms(this.where, this.topology);
  }

  private Database(Database other, ReadConcern concern) {
    this.client = other.client;
    this.database = other.database.withReadConcern(concern);
    this.admin = other.admin;
    this.where = other.where;
    this.topology = other.topology;
    this.terms = other.terms;
    this.helloCommand = other.helloCommand;
  }

  /** What the client makes of documents for its own purposes is no business of the adapter's. */
  private static MongoDatabase own(MongoDatabase database) {
    return database.withCodecRegistry(MongoClientSettings.getDefaultCodecRegistry());
  }

  Database with(ReadConcern concern) {
    return new Database(this, concern);
  }

  MongoClient client() {
    return client;
  }

  MongoDatabase raw() {
    return database;
  }

  String where() {
    return where;
  }

  MongoCollection<Commit> commits() {
    return database
        .getCollection(Schema.COMMITS, Commit.class)
        .withCodecRegistry(
            CodecRegistries.fromRegistries(
                CodecRegistries.fromCodecs(new CommitCodec()), database.getCodecRegistry()));
  }

  MongoCollection<RawBsonDocument> encodedCommits() {
    return database.getCollection(Schema.COMMITS, RawBsonDocument.class);
  }

  MongoCollection<Document> collection(String name) {
    return database.getCollection(name);
  }

  /** The greatest number of a commit or a filler; 0 if there is none. */
  long lastNumber() {
    Document last =
        call(
            () ->
                collection(Schema.COMMITS)
                    .find()
                    .sort(Sorts.descending(Fields.ID))
                    .projection(Projections.include(Fields.ID))
                    .first());
    return last == null ? 0 : last.getLong(Fields.ID);
  }

  Topology topology() {
    return topology;
  }

  TransactionTerms terms() {
    return terms;
  }

  boolean hasReplicaSet() {
    return topology.hasReplicaSet();
  }

  /** Whether reads show what a crash of the server can still take back, and writes need not. */
  boolean showsUnjournaled() {
    return !hasReplicaSet() && Boolean.TRUE.equals(database.getWriteConcern().getJournal());
  }

  /** The greatest document that the server takes, in bytes. */
  int maxDocumentBytes() {
    ClusterDescription cluster = client.getClusterDescription();
    return cluster.getServerDescriptions().stream()
        .filter(ServerDescription::isOk)
        .mapToInt(ServerDescription::getMaxDocumentSize)
        .min()
        .orElse(ServerDescription.getDefaultMaxDocumentSize());
  }

  /**
   * The clock of the server, so that processes with different clocks agree on leases. It was read a
   * little before the answer comes, which makes an expiry too early for the holder and too late for
   * everybody else: the safe side both times.
   */
  Instant now() {
    return call(topology.sharded() ? this::shardTime : this::localTime);
  }

  private Instant localTime() {
    return hello().getDate("localTime").toInstant();
  }

  /**
   * Each router of a cluster has a clock of its own, so the time comes from the shard that holds
   * the document, through whichever router it is asked for.
   */
  private Instant shardTime() {
    Document clock =
        collection(Schema.META)
            // It is only read once, here.
            .withWriteConcern(WriteConcern.W1)
            .findOneAndUpdate(
                Filters.eq(Fields.ID, Fields.META_CLOCK),
                Updates.currentDate(Fields.TIME),
                new FindOneAndUpdateOptions().upsert(true).returnDocument(ReturnDocument.AFTER));
    return Objects.requireNonNull(clock).getDate(Fields.TIME).toInstant();
  }

  Document build() {
    return admin.runCommand(new Document("buildInfo", 1));
  }

  private Document hello() {
    String command = helloCommand;
    try {
      return admin.runCommand(new Document(command, 1));
    } catch (MongoCommandException e) {
      // By the command that was sent here: another thread may have found out meanwhile.
      if (e.getErrorCode() != COMMAND_NOT_FOUND || command.equals(OLD_HELLO)) {
        throw e;
      }
      helloCommand = OLD_HELLO;
      return admin.runCommand(new Document(OLD_HELLO, 1));
    }
  }

  void close() {
    closed = true;
  }

  boolean isClosed() {
    return closed;
  }

  void requireOpen() {
    if (closed) {
      throw closed();
    }
  }

  IllegalStateException closed() {
    return new IllegalStateException("the storage on " + where + " is closed; create a new one");
  }

  void run(Runnable operation) {
    Object unused =
        call(
            () -> {
              operation.run();
              return this;
            });
  }

  <T extends @Nullable Object> T call(Supplier<T> operation) {
    requireOpen();
    requirePrimary();
    return translating(operation);
  }

  /**
   * A member that was named alone answers reads as a secondary, too, as the driver asks it to. As
   * soon as the driver has noticed what it is; what it answers until then nobody can tell here.
   */
  private void requirePrimary() {
    if (topology.missesElections()
        && client.getClusterDescription().getServerDescriptions().stream()
            .anyMatch(ServerDescription::isSecondary)) {
      throw notPrimary(new IllegalStateException("it is a secondary"));
    }
  }

  private <T extends @Nullable Object> T translating(Supplier<T> operation) {
    try {
      return operation.get();
    } catch (MongoException e) {
      if (e.hasErrorLabel(MongoException.TRANSIENT_TRANSACTION_ERROR_LABEL)) {
        // As it is, so that session.withTransaction repeats the caller's whole transaction.
        throw e;
      }
      throw translated(e);
    } catch (BsonMaximumSizeExceededException e) {
      throw new NotStorableException(
          "a document for "
              + where
              + " is over the limit of "
              + maxDocumentBytes()
              + " bytes; keep large content elsewhere and store a reference");
    } catch (IllegalStateException e) {
      // The driver's answer to the use of a closed client.
      throw new StoreUnavailableException(
          where + " can't be reached through this client: " + e.getMessage(), e);
    }
  }

  SluiceException translated(MongoException e) {
    if (e instanceof MongoSecurityException
        || (e instanceof MongoCommandException && NOT_ALLOWED.contains(e.getCode()))
        || (e instanceof MongoWriteException && NOT_ALLOWED.contains(e.getCode()))
        || NOT_ALLOWED.contains(e.getCode())) {
      return new StoreRefusedException(
          "the user of this client has not the rights that are needed on "
              + where
              + "; give it the role readWrite there ("
              + e.getMessage()
              + ")",
          e);
    }
    if (e instanceof MongoIncompatibleDriverException) {
      return Topology.tooOld(where, String.valueOf(e.getMessage()), e);
    }
    // Not by class: the driver makes a MongoQueryException of it where a find is answered so.
    if (NOT_PRIMARY.contains(e.getCode())) {
      return notPrimary(e);
    }
    return new StoreUnavailableException(
        where
            + " could not be reached, or its answer got lost; look at the server and repeat the call"
            + " with the same ids ("
            + e.getMessage()
            + ")",
        e);
  }

  private StoreUnavailableException notPrimary(Exception e) {
    return new StoreUnavailableException(
        "the server of "
            + where
            + " that was asked is not the primary any more: "
            + (topology.direct()
                ? "it may be a secondary for good, and this client talks to no other one; "
                    + topology.advice()
                : "another one is being elected, so try again in some seconds")
            + " ("
            + e.getMessage()
            + ")",
        e);
  }

  /** Whether a write is done, and the time was over before it was as durable as asked for. */
  static boolean isOutOfTime(@Nullable WriteConcernError error) {
    return error != null && error.getCode() == MAX_TIME_EXPIRED;
  }

  static boolean isDuplicateKey(MongoException e) {
    return e.getCode() == DUPLICATE_KEY;
  }
}
