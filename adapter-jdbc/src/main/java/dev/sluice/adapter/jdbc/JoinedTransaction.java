package dev.sluice.adapter.jdbc;

import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.SnapshotStore;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import org.jdbi.v3.core.Handle;
import org.jspecify.annotations.Nullable;

/** The ports on the caller's connection. */
final class JoinedTransaction implements JdbcTransaction {

  private final Handle handle;
  private final AppendStatements statements;
  private final Appender explainer;
  private final EventStore eventStore;
  private final CheckpointStore checkpoints;
  private final SnapshotStore snapshots;
  private boolean appended;
  private boolean repeated;

  JoinedTransaction(
      Database database, EventKinds kinds, AppendStatements statements, Handle handle) {
    this.handle = handle;
    this.statements = statements;
    this.explainer = new Appender(statements);
    Database.HandleSource handles = Database.joined(handle);
    this.checkpoints = new PostgresCheckpoints(handles, database.sql());
    this.snapshots = new PostgresSnapshots(handles, database.sql());
    this.eventStore =
        new PostgresEventStore(database, kinds) {
          @Override
          AppendResult append(ReadyAppend append) {
            return call(
                "appending to " + append.append().stream(),
                connection -> appendJoined(connection, append));
          }

          @Override
          <T> T call(String doing, Database.ConnectionWork<T> work) {
            return Database.translating(doing, () -> work.run(handle.getConnection()));
          }
        };
  }

  @Override
  public Handle handle() {
    return handle;
  }

  @Override
  public EventStore eventStore() {
    return eventStore;
  }

  @Override
  public CheckpointStore checkpoints() {
    return checkpoints;
  }

  @Override
  public SnapshotStore snapshots() {
    return snapshots;
  }

  /**
   * Whether the last append had been stored before, by a transaction of its own. Asking beforehand
   * would not tell: the first try's commit may become visible only while the repetition waits for
   * it.
   */
  boolean wasRepetition() {
    return repeated;
  }

  /** Whether there is anything to tell readers of, once it is committed. */
  boolean hasAppended() {
    return appended;
  }

  private AppendResult appendJoined(Connection connection, ReadyAppend append) throws SQLException {
    if (connection.getAutoCommit()) {
      throw new IllegalStateException(
          "the connection is in autocommit mode, so there is no transaction to join; begin one, or"
              + " append through the JdbcStorage itself");
    }
    while (true) {
      @Nullable AppendResult result = tryOnce(connection, append);
      repeated = result == null;
      appended |= result != null;
      if (result == null) {
        refuseOtherIsolation(connection);
        result = explainer.explain(connection, append);
      }
      if (result != null) {
        return result;
      }
    }
  }

  /** Behind a savepoint, so that a lost race does not spoil the caller's transaction. */
  private @Nullable AppendResult tryOnce(Connection connection, ReadyAppend append)
      throws SQLException {
    Savepoint savepoint = connection.setSavepoint();
    try {
      @Nullable AppendResult result = statements.run(connection, append);
      connection.releaseSavepoint(savepoint);
      return result;
    } catch (SQLException e) {
      connection.rollback(savepoint);
      // It is still there, and the next one would be inside of it.
      connection.releaseSavepoint(savepoint);
      if (Failures.isNotNullViolation(e)) {
        refuseOtherIsolation(connection);
      }
      if (Failures.isOvertaken(e)) {
        return null;
      }
      throw e;
    }
  }

  private static void refuseOtherIsolation(Connection connection) throws SQLException {
    if (connection.getTransactionIsolation() != Connection.TRANSACTION_READ_COMMITTED) {
      throw new StoreRefusedException(
          "appending needs a transaction at READ COMMITTED: above it, an append can't tell a"
              + " version conflict from its own old snapshot. Set the isolation level before the"
              + " transaction begins");
    }
  }
}
