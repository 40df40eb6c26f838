package dev.sluice.adapter.jdbc;

import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.StoredEvent;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Carries out one append on one connection until it is stored, or can't be. */
final class Appender {

  private final AppendStatements statements;

  Appender(AppendStatements statements) {
    this.statements = statements;
  }

  /**
   * Appends, each try in a transaction of its own. Tries again only after somebody else has stored
   * something in the same stream meanwhile, so that somebody always gets on.
   */
  AppendResult append(Connection connection, ReadyAppend append) throws SQLException {
    while (true) {
      @Nullable AppendResult result = tryOnce(connection, append);
      if (result == null) {
        result = explain(connection, append);
      }
      if (result != null) {
        return result;
      }
    }
  }

  private @Nullable AppendResult tryOnce(Connection connection, ReadyAppend append)
      throws SQLException {
    try {
      return statements.run(connection, append);
    } catch (SQLException e) {
      if (Failures.isOvertaken(e) || Failures.isTransient(e)) {
        return null;
      }
      throw e;
    }
  }

  /**
   * Finds out why an append was refused: what its first try returned, if it is stored already; the
   * exception, if the stream is not as expected or an id is taken; null, if it should be tried
   * again because the stream has become what was expected, or was only overtaken.
   */
  @Nullable AppendResult explain(Connection connection, ReadyAppend append) throws SQLException {
    List<StoredEvent> stored = statements.stored(connection, append.append().ids());
    Optional<AppendResult> repeated = append.append().repeatOf(stored);
    if (repeated.isPresent()) {
      return repeated.get();
    }
    long actual = statements.version(connection, append);
    if (!append.append().expected().isMetBy(actual)) {
      throw append.append().conflict(actual);
    }
    return null;
  }
}
