package dev.sluice.adapter.mongo;

import com.mongodb.ReadConcern;
import com.mongodb.WriteConcern;
import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoClient;
import com.mongodb.connection.ServerDescription;
import dev.sluice.core.SluiceException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.Storage;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.bson.Document;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All ports on one MongoDB database, a standalone server or a replica set. Needs no multi-document
 * transaction. Defaults: write concern majority, journaled, 10 s; read concern majority where there
 * is a replica set; fillers after 1 s. Safe for use by any number of threads; the client stays the
 * caller's.
 */
public final class MongoStorage implements Storage {

  private static final Logger LOG = LoggerFactory.getLogger(MongoStorage.class);

  /** How long readers wait for a missing commit, unless the builder says it. */
  static final Duration FILL_AFTER = Duration.ofSeconds(1);

  private final Database database;
  private final Schema schema;
  private final Counter counter;
  private final Joined joined = new Joined();
  private final Frontier frontier;
  private final Tails tails;
  private final Committer committer;
  private final Hints hints;
  private final Concerns concerns;
  private final MongoEventStore eventStore;
  private final GlobalLog globalLog;
  private final Outbox outbox;
  private final CheckpointStore checkpoints;
  private final SnapshotStore snapshots;
  private final LeaseStore leases;

  private MongoStorage(Builder builder, Database database, Concerns concerns) {
    this.database = database;
    this.concerns = concerns;
    schema = new Schema(database);
    schema.createOrCheck(builder.probe);
    counter = new Counter(database);
    Journal journal = new Journal(database);
    frontier = new Frontier(database, counter, joined, journal, builder.fillAfter);
    hints = new Hints(database, database.hasReplicaSet());
    CommitReader reader = new CommitReader(database, counter);
    checkpoints = new MongoCheckpointStore(database, null);
    snapshots = new MongoSnapshotStore(database, null);
    leases = new MongoLeaseStore(database);
    globalLog = new MongoGlobalLog(database, reader, frontier, hints);
    outbox =
        new MongoOutbox(
            database, new CommitReader(database, counter), frontier, checkpoints, hints);
    committer = new Committer(database, counter, frontier, builder.betweenDrawAndInsert);
    boolean replicaSet = database.hasReplicaSet();
    tails =
        new Tails(
            database,
            counter,
            journal,
            concerns.readsLast(replicaSet),
            concerns.writesLast(replicaSet));
    eventStore =
        new MongoEventStore(
            database, counter, reader, tails, journal, committer, hints, builder.patience);
  }

  /**
   * A storage with the defaults. Makes what is missing in the database: collections and indexes,
   * all named {@code sluice_…}.
   *
   * @throws dev.sluice.core.StoreRefusedException if the database can't be worked with, with what
   *     to do
   * @throws dev.sluice.core.StoreUnavailableException if the server can't be reached
   */
  public static MongoStorage create(MongoClient client, String databaseName) {
    return builder(client, databaseName).build();
  }

  /** For other settings than the defaults. */
  public static Builder builder(MongoClient client, String databaseName) {
    return new Builder(client, databaseName);
  }

  @Override
  public String describe() {
    Document build = database.call(database::build);
    List<ServerDescription> servers =
        database.client().getClusterDescription().getServerDescriptions();
    Topology topology = database.topology();
    String set =
        topology.setName() != null
            ? "replica set '" + topology.setName() + "'"
            : topology.sharded() ? "sharded" : "standalone";
    return "MongoDB "
        + build.getString("version")
        + ", "
        + set
        + ", database '"
        + database.raw().getName()
        + "' at "
        + servers.stream()
            .map(server -> server.getAddress().toString())
            .collect(Collectors.joining(","));
  }

  @Override
  public EventStore eventStore() {
    return eventStore;
  }

  /**
   * An event store that works inside a transaction of the caller, so that an append and the
   * caller's own writes are done together or not at all. Only where there is a replica set.
   *
   * <p>A conflict, or a duplicate id, that is found before anything is written leaves the
   * transaction open, and the caller may go on in it. One that only the server finds, at the
   * insert, has ended it: it can't be committed any more. The exception is the same, so whoever
   * does not know what others append aborts at either. Where the driver asks to repeat the
   * transaction, its own exception comes through, the server has ended the transaction, and {@code
   * session.withTransaction} repeats it.
   *
   * <p>Readers of the log wait at an append until its transaction ends. How durable the append is,
   * the transaction's write concern decides and not the storage's: begin it with majority, else a
   * warning says once what is lost. For one thread.
   *
   * @param session with a transaction begun before the first append, and the read preference
   *     primary
   * @throws UnsupportedOperationException on a standalone server, which has no transactions
   */
  public EventStore eventStore(ClientSession session) {
    requireTransactions();
    return new SessionEventStore(database, counter, tails, joined, eventStore, session);
  }

  /**
   * Checkpoints that are saved inside a transaction of the caller, together with a view of its own.
   * Only where there is a replica set. For one thread.
   *
   * @throws UnsupportedOperationException on a standalone server, which has no transactions
   */
  public CheckpointStore checkpoints(ClientSession session) {
    requireTransactions();
    return new MongoCheckpointStore(database, session);
  }

  /**
   * Snapshots that are saved inside a transaction of the caller, for a command handler there. One
   * that meets another ends the transaction, as an append does. Only where there is a replica set.
   * For one thread.
   *
   * @throws UnsupportedOperationException on a standalone server, which has no transactions
   */
  public SnapshotStore snapshots(ClientSession session) {
    requireTransactions();
    return new MongoSnapshotStore(database, session);
  }

  /**
   * Whether a {@link ClientSession} can be joined: true where there is a replica set. As the server
   * was when this storage was built.
   */
  public boolean joinsSessions() {
    return database.hasReplicaSet();
  }

  /**
   * Whether appends of other processes wake readers here: true where there is a replica set. As the
   * server was when this storage was built.
   */
  public boolean hearsOtherProcesses() {
    return database.hasReplicaSet();
  }

  Database database() {
    return database;
  }

  void requireTransactions() {
    database.requireOpen();
    if (!joinsSessions()) {
      throw new UnsupportedOperationException(
          "the server of "
              + database.where()
              + " is a standalone, which has no transactions to join; make it a replica set (one"
              + " member is enough), or append through eventStore()");
    }
  }

  @Override
  public GlobalLog globalLog() {
    return globalLog;
  }

  @Override
  public Outbox outbox() {
    return outbox;
  }

  @Override
  public CheckpointStore checkpoints() {
    return checkpoints;
  }

  @Override
  public SnapshotStore snapshots() {
    return snapshots;
  }

  @Override
  public LeaseStore leases() {
    return leases;
  }

  /**
   * Looks at everything that can hold readers back. Counts, so it takes its time on a long log. As
   * every reader, it fills a hole that has been there for longer than the grace.
   */
  public Diagnosis doctor() {
    Integer version = schema.version();
    return new Doctor(database, this, frontier, concerns).examine(version == null ? 0 : version);
  }

  @Override
  public void close() {
    if (!database.isClosed()) {
      // First, and it waits: what is on its way gets its outcome.
      committer.close();
      fillAborted();
      database.close();
      hints.close();
    }
  }

  /** Nobody in this process will know of them any more. */
  private void fillAborted() {
    List<Long> ended = joined.ended();
    if (!ended.isEmpty()) {
      try {
        frontier.fill(ended, "writer", Frontier.PATIENCE_OF_WRITERS);
      } catch (SluiceException e) {
        LOG.debug("Readers will fill what transactions have left behind", e);
      }
    }
  }

  @Override
  public String toString() {
    return "MongoStorage[" + database.where() + "]";
  }

  /** Settings of a {@link MongoStorage}. For one thread. */
  public static final class Builder {

    private static final Duration MAX_FILL_AFTER = Duration.ofHours(1);

    private final MongoClient client;
    private final String databaseName;
    private WriteConcern writeConcern =
        WriteConcern.MAJORITY.withJournal(true).withWTimeout(10, TimeUnit.SECONDS);
    private @Nullable ReadConcern readConcern;
    private Duration fillAfter = FILL_AFTER;
    private Runnable betweenDrawAndInsert = () -> {};
    private Duration patience = MongoEventStore.PATIENCE;
    private boolean probe = true;

    private Builder(MongoClient client, String databaseName) {
      this.client = client;
      this.databaseName = databaseName;
    }

    /**
     * How writes are acknowledged. Anything below majority and journaled can lose what was
     * acknowledged; it is accepted, and what is lost is logged as a warning. A majority that says
     * nothing of the journal is journaled; {@code withJournal(false)} says that it need not be.
     *
     * @throws IllegalArgumentException if writes are not acknowledged at all
     */
    public Builder writeConcern(WriteConcern writeConcern) {
      if (!writeConcern.isAcknowledged()) {
        throw new IllegalArgumentException(
            "with write concern w: 0 nobody learns of a conflict; use at least w: 1");
      }
      this.writeConcern = writeConcern;
      return this;
    }

    /**
     * How sure reads are. On a replica set anything below majority can show events that a new
     * primary does not have; it is accepted, and what is lost is logged as a warning.
     */
    public Builder readConcern(ReadConcern readConcern) {
      this.readConcern = readConcern;
      return this;
    }

    /**
     * How long readers wait for a commit whose writer has drawn a number and has not inserted it,
     * before they close the hole and the writer, if it still lives, draws again. Decides only how
     * long a dead writer delays readers; no value loses or reorders anything. Choose more than the
     * time that an insert usually takes.
     *
     * @param fillAfter 0 to one hour
     */
    public Builder fillAfter(Duration fillAfter) {
      if (fillAfter.isNegative() || fillAfter.compareTo(MAX_FILL_AFTER) > 0) {
        throw new IllegalArgumentException("fillers come after 0 to 1 hour, not " + fillAfter);
      }
      this.fillAfter = fillAfter;
      return this;
    }

    /** Runs in each group of commits after its draw; a test holds commits there. */
    Builder betweenDrawAndInsert(Runnable action) {
      this.betweenDrawAndInsert = action;
      return this;
    }

    /** How long an append waits for a transaction that stands in its way; for tests. */
    Builder patience(Duration patience) {
      this.patience = patience;
      return this;
    }

    /** For trying a server that is known to fall short, see {@link Schema}. */
    Builder withoutProbe() {
      this.probe = false;
      return this;
    }

    /**
     * Connects, makes what is missing, and checks the rest.
     *
     * @throws dev.sluice.core.StoreRefusedException if the database can't be worked with, with what
     *     to do
     * @throws dev.sluice.core.StoreUnavailableException if the server can't be reached
     */
    public MongoStorage build() {
      Database asked =
          new Database(client, databaseName, new Concerns(writeConcern, ReadConcern.DEFAULT));
      boolean replicaSet = asked.hasReplicaSet();
      Concerns concerns =
          new Concerns(
              writeConcern,
              readConcern != null
                  ? readConcern
                  : replicaSet ? ReadConcern.MAJORITY : ReadConcern.DEFAULT);
      MongoStorage storage = new MongoStorage(this, asked.with(concerns.read()), concerns);
      for (String loss : concerns.losses(replicaSet)) {
        LOG.warn("{} is used with less than the guarantees: {}", storage, loss);
      }
      asked.topology().finding().ifPresent(finding -> LOG.warn("{}: {}", storage, finding));
      return storage;
    }
  }
}
