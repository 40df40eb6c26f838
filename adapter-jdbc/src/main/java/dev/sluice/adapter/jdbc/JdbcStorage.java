package dev.sluice.adapter.jdbc;

import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.Storage;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.function.Function;
import java.util.regex.Pattern;
import javax.sql.DataSource;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.TransactionState;

/**
 * All ports on PostgreSQL 14 to 18.
 *
 * <p>By default the schema is {@code sluice} and is created and upgraded on start, appends that
 * wait at the same moment share a commit (at most {@value Builder#DEFAULT_APPEND_LANES} commits at
 * a time), and other processes are told of appends. Give it a pooled data source: each operation
 * borrows one connection, for one round trip as a rule; one more is held once somebody asks for
 * hints, see {@link Builder#notifyAcrossProcesses}.
 *
 * <p>Safe for use by any number of threads, virtual ones included. Closing does not close the data
 * source.
 */
public final class JdbcStorage implements Storage {

  private final Database database;
  private final EventKinds kinds;
  private final WakeUps wakeUps;
  private final AppendStatements joined;
  private final @Nullable AppendQueue queue;
  private final EventStore eventStore;
  private final PostgresGlobalLog globalLog;
  private final PostgresOutbox outbox;
  private final CheckpointStore checkpoints;
  private final SnapshotStore snapshots;
  private final LeaseStore leases;
  private final String description;

  private JdbcStorage(Builder builder) {
    database = new Database(builder.dataSource, builder.schema);
    kinds = new EventKinds(database);
    description =
        database.call(
            "connecting",
            connection -> {
              StartUpChecks.server(connection);
              StartUpChecks.rights(connection, database.sql(), builder.schema);
              return describe(connection, builder.schema);
            });
    Schema schema = new Schema(database);
    if (builder.createSchema) {
      schema.migrate();
    } else {
      schema.check();
    }
    database.call(
        "checking the schema",
        connection -> {
          StartUpChecks.sequence(connection, database.sql());
          return kinds.reload(connection);
        });
    wakeUps = new WakeUps(database, builder.acrossProcesses);
    joined = AppendStatements.joined(database.sql());
    queue = builder.appendLanes == 0 ? null : new AppendQueue(database, builder.appendLanes);
    eventStore =
        queue == null
            ? new SingleCommits(database, kinds, wakeUps)
            : new GroupCommits(database, kinds, wakeUps, queue);
    Horizon horizon = new Horizon(database, kinds);
    globalLog = new PostgresGlobalLog(database, kinds, horizon, wakeUps);
    outbox = new PostgresOutbox(database, horizon, wakeUps);
    checkpoints = new PostgresCheckpoints(database.handles(), database.sql());
    snapshots = new PostgresSnapshots(database.handles(), database.sql());
    leases = new PostgresLeases(database.handles(), database.sql());
  }

  /**
   * A storage with all defaults.
   *
   * @throws StoreUnavailableException if the server can't be reached
   * @throws StoreRefusedException if the server, its settings, the schema or the user's rights are
   *     not what is needed; the message says what to do
   */
  public static JdbcStorage create(DataSource dataSource) {
    return builder(dataSource).build();
  }

  /** Starts a storage on a data source, which should be a pool. */
  public static Builder builder(DataSource dataSource) {
    return new Builder(dataSource);
  }

  private static String describe(Connection connection, String schema)
      throws java.sql.SQLException {
    var server = connection.getMetaData();
    // The part behind '?' may hold credentials.
    String url = server.getURL().replaceFirst("\\?.*", "");
    return "PostgreSQL " + server.getDatabaseProductVersion() + " at " + url + ", schema " + schema;
  }

  @Override
  public String describe() {
    return description;
  }

  @Override
  public EventStore eventStore() {
    return eventStore;
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
   * Runs something in one transaction on a connection from the data source, at READ COMMITTED. It
   * is committed when the work returns, and rolled back when it throws. What the work does with
   * this storage instead of the transaction, another call of this method included, is on other
   * connections and not part of it.
   *
   * <p>What the work throws comes out as it is, also if it was PostgreSQL that refused one of the
   * work's own statements; only if the cause is an outage, as a {@link StoreUnavailableException}.
   *
   * @throws StoreRefusedException if a statement failed and the work returned all the same, or if a
   *     deferred constraint refuses the commit; nothing has been written
   * @throws StoreUnavailableException if the commit's outcome is unknown, among other causes
   */
  public <T extends @Nullable Object> T inTransaction(Function<JdbcTransaction, T> work) {
    Committed<T> committed;
    try {
      committed =
          Database.translating(
              "a transaction",
              () -> {
                try (Handle handle = database.openHandle()) {
                  return handle.inTransaction(own -> run(work, own));
                }
              });
    } catch (WorkFailedException e) {
      throw e.thrown;
    }
    if (committed.appended) {
      wakeUps.appended();
    }
    return committed.result;
  }

  private <T extends @Nullable Object> Committed<T> run(
      Function<JdbcTransaction, T> work, Handle handle) throws SQLException {
    JoinedTransaction transaction = new JoinedTransaction(database, kinds, joined, handle);
    T result;
    try {
      result = work.apply(transaction);
    } catch (SluiceException e) {
      throw e;
    } catch (RuntimeException e) {
      SQLException cause = Failures.sqlCause(e);
      if (cause != null && Failures.isOutage(cause)) {
        throw Failures.translate("a transaction", cause, e);
      }
      throw new WorkFailedException(e);
    }
    refuseIfAborted(handle.getConnection());
    return new Committed<>(result, transaction.hasAppended());
  }

  private record Committed<T extends @Nullable Object>(T result, boolean appended) {}

  /** Carries what the caller's work has thrown past the translation of what JDBI throws. */
  private static final class WorkFailedException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final RuntimeException thrown;

    WorkFailedException(RuntimeException thrown) {
      super(thrown);
      this.thrown = thrown;
    }
  }

  /**
   * After a failed statement the server answers COMMIT with ROLLBACK, and the driver says nothing.
   */
  private static void refuseIfAborted(Connection connection) throws SQLException {
    if (connection.unwrap(BaseConnection.class).getTransactionState() == TransactionState.FAILED) {
      throw new StoreRefusedException(
          "PostgreSQL has refused a statement of this transaction and the work went on as if it had"
              + " not, so that nothing of it can be committed; let the exception out, or put a"
              + " savepoint around such a statement");
    }
  }

  /**
   * Ports in the transaction that a handle has begun. Call {@link #appended()} after its commit if
   * it appended something.
   */
  public JdbcTransaction join(Handle handle) {
    return new JoinedTransaction(database, kinds, joined, handle);
  }

  /**
   * Ports in the transaction of a connection, which must not be in autocommit mode. Call {@link
   * #appended()} after its commit if it appended something.
   */
  // Closing the handle would close nothing: the connection is the caller's.
  @SuppressWarnings("resource")
  public JdbcTransaction join(Connection connection) {
    return join(Jdbi.open(connection));
  }

  /**
   * Tells readers, in this process and in others, that something was appended. Only needed after a
   * commit by the caller; without it they find out when they look again.
   */
  public void appended() {
    wakeUps.appended();
  }

  /**
   * Stops the threads that send and receive hints, and gives all connections back but those of
   * calls that are still under way. The data source stays open.
   */
  @Override
  public void close() {
    wakeUps.close();
    database.close();
    if (queue != null) {
      queue.close();
    }
  }

  @Override
  public String toString() {
    return description;
  }

  /** Appends through the queue. */
  private static final class GroupCommits extends PostgresEventStore {

    private final Database database;
    private final WakeUps wakeUps;
    private final AppendQueue queue;

    GroupCommits(Database database, EventKinds kinds, WakeUps wakeUps, AppendQueue queue) {
      super(database, kinds);
      this.database = database;
      this.wakeUps = wakeUps;
      this.queue = queue;
    }

    @Override
    AppendResult append(ReadyAppend append) {
      AppendResult result = queue.append(append);
      wakeUps.appended();
      return result;
    }

    @Override
    <T> T call(String doing, Database.ConnectionWork<T> work) {
      return database.call(doing, work);
    }
  }

  /** Appends one by one, each in a transaction of its own. */
  private static final class SingleCommits extends PostgresEventStore {

    private final Database database;
    private final WakeUps wakeUps;
    private final Appender appender;

    SingleCommits(Database database, EventKinds kinds, WakeUps wakeUps) {
      super(database, kinds);
      this.database = database;
      this.wakeUps = wakeUps;
      this.appender = new Appender(AppendStatements.alone(database.sql()));
    }

    @Override
    AppendResult append(ReadyAppend append) {
      AppendResult result =
          call(
              "appending to " + append.append().stream(),
              connection -> appender.append(connection, append));
      wakeUps.appended();
      return result;
    }

    @Override
    <T> T call(String doing, Database.ConnectionWork<T> work) {
      return database.call(doing, work);
    }
  }

  /** Settings of a storage. Not safe for concurrent use. */
  public static final class Builder {

    /** How many commits of appends run at a time at most, unless set otherwise. */
    public static final int DEFAULT_APPEND_LANES = 4;

    private static final Pattern SCHEMA = Pattern.compile("[a-z_][a-z0-9_]{0,47}");

    private final DataSource dataSource;
    private String schema = "sluice";
    private boolean createSchema = true;
    private boolean acrossProcesses = true;
    private int appendLanes = DEFAULT_APPEND_LANES;

    private Builder(DataSource dataSource) {
      this.dataSource = dataSource;
    }

    /**
     * The schema to work in, so that one database can hold several stores; by default {@code
     * sluice}.
     *
     * @param schema 1 to 48 lower case letters, digits or '_', not starting with a digit
     */
    public Builder schema(String schema) {
      if (!SCHEMA.matcher(schema).matches()) {
        throw new IllegalArgumentException(
            "'"
                + schema
                + "' is not a schema name; use 1 to 48 lower case letters, digits or '_', not"
                + " starting with a digit");
      }
      this.schema = schema;
      return this;
    }

    /**
     * Whether to create and upgrade the schema on start; by default true. If not, a schema that is
     * not up to date is refused, and {@link #schemaSql()} says what somebody else has to run.
     */
    public Builder createSchema(boolean createSchema) {
      this.createSchema = createSchema;
      return this;
    }

    /**
     * Whether to tell other processes of appends, and to listen to them; by default true. It holds
     * one connection from the first {@code onAppend} on, and borrows another one for moments.
     * Without it they find out when they look again.
     */
    public Builder notifyAcrossProcesses(boolean notify) {
      this.acrossProcesses = notify;
      return this;
    }

    /**
     * How many commits of appends run at a time at most, by default {@value #DEFAULT_APPEND_LANES}.
     * Appends that find one under way wait, and then share the next one; another one begins beside
     * it only when much waits, or for long. Each uses one connection.
     *
     * @param lanes 1 to 64, or 0 to give each append a commit and a connection of its own at once
     */
    public Builder appendLanes(int lanes) {
      if (lanes < 0 || lanes > 64) {
        throw new IllegalArgumentException("there are 0 to 64 lanes for appends, not " + lanes);
      }
      this.appendLanes = lanes;
      return this;
    }

    /**
     * The SQL that would bring the schema up to date, for a person to read and run; empty if there
     * is nothing to do. Changes nothing.
     */
    public String schemaSql() {
      return new Schema(new Database(dataSource, schema)).pending();
    }

    /**
     * Connects, creates or upgrades the schema, and checks everything that guarantees depend on.
     *
     * @throws StoreUnavailableException if the server can't be reached
     * @throws StoreRefusedException if the server, its settings, the schema or the user's rights
     *     are not what is needed; the message says what to do
     */
    public JdbcStorage build() {
      try {
        return new JdbcStorage(this);
      } catch (StoreUnavailableException e) {
        throw Failures.atStart(e);
      }
    }
  }
}
