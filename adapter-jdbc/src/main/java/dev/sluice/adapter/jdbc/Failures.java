package dev.sluice.adapter.jdbc;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import java.sql.SQLException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.sql.SQLTransientException;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** Reads SQL states, and turns what JDBC throws into what the ports promise. */
final class Failures {

  private static final String UNIQUE_VIOLATION = "23505";
  private static final String NOT_NULL_VIOLATION = "23502";
  private static final String LOCK_NOT_AVAILABLE = "55P03";
  private static final String CANCELLED = "57014";
  private static final String MISSING_PRIVILEGE = "42501";
  private static final String NO_LOGIN = "28";
  private static final String NO_SUCH_DATABASE = "3D000";
  private static final String READ_ONLY_TRANSACTION = "25006";
  private static final String IDLE_IN_TRANSACTION = "25P03";

  /** What two appends can meet at. Any other constraint refuses each further try as well. */
  private static final Set<String> SHARED_CONSTRAINTS = Set.of("event_by_stream", "event_by_id");

  private Failures() {}

  /**
   * Whether the server has said that it rolled the statement back, and why, while the connection
   * lives: the opposite of an unknown outcome.
   */
  static boolean isRefusal(SQLException e) {
    String state = state(e);
    return state.startsWith("22")
        || state.startsWith("23")
        || state.startsWith("40")
        || state.equals(LOCK_NOT_AVAILABLE)
        || state.equals(CANCELLED)
        || state.startsWith("54");
  }

  /**
   * Whether somebody else has stored the version or an event id meanwhile. A position that is taken
   * is something else: the sequence is behind, and another try would fail, or find a place that
   * readers have passed.
   */
  static boolean isOvertaken(SQLException e) {
    return state(e).equals(UNIQUE_VIOLATION) && SHARED_CONSTRAINTS.contains(constraint(e));
  }

  /**
   * No connection, a login that is refused, no resources, a server that goes down or only reads, a
   * deadlock, a transaction that was silent for too long: nothing of it is the fault of what was
   * asked for, and it passes. A statement that was cancelled is: it may take too long each time.
   */
  static boolean isOutage(SQLException e) {
    String state = state(e);
    return state.startsWith("08")
        || state.startsWith(NO_LOGIN)
        || state.startsWith("40")
        || state.startsWith("53")
        || state.startsWith("57P")
        || state.startsWith("58")
        || state.equals(READ_ONLY_TRANSACTION)
        || state.equals(IDLE_IN_TRANSACTION)
        // Pools have no state for theirs.
        || e instanceof SQLTransientException
        || e instanceof SQLRecoverableException
        || e instanceof SQLNonTransientConnectionException;
  }

  static @Nullable SQLException sqlCause(Throwable thrown) {
    for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException sql) {
        return sql;
      }
    }
    return null;
  }

  static boolean isNotNullViolation(SQLException e) {
    return state(e).equals(NOT_NULL_VIOLATION);
  }

  /** A deadlock or a serialisation failure, which another try may not meet. */
  static boolean isTransient(SQLException e) {
    return state(e).startsWith("40");
  }

  /**
   * @param thrown what wraps the exception, or the exception itself
   */
  static SluiceException translate(String doing, SQLException e, Throwable thrown) {
    String state = state(innermost(e));
    if (state.startsWith(NO_LOGIN)) {
      // Not the fault of what was asked for, and nothing that handlers should spend their tries on:
      // a password may be changed while a service runs.
      return new StoreUnavailableException(
          "PostgreSQL: the login of this data source was refused ("
              + oneLine(e)
              + "); correct the user and the password, or what the server's pg_hba.conf allows",
          thrown);
    }
    if (state.equals(NO_SUCH_DATABASE)) {
      return new StoreRefusedException(
          "PostgreSQL: the database of this data source is not there ("
              + oneLine(e)
              + "); correct the name in its URL, or create the database",
          thrown);
    }
    if (state.equals(MISSING_PRIVILEGE)) {
      return new StoreRefusedException(
          "PostgreSQL: the user of this data source may not do what "
              + doing
              + " needs ("
              + oneLine(e)
              + "); grant it, or take the user who owns the schema",
          thrown);
    }
    if (state.equals("42P01") || state.equals("3F000") || state.equals("42703")) {
      return new StoreRefusedException(
          "PostgreSQL: "
              + doing
              + " misses a part of the schema ("
              + oneLine(e)
              + "); was it dropped, or changed by hand? JdbcStorage.create(dataSource) creates it",
          thrown);
    }
    if (state.equals(UNIQUE_VIOLATION) && constraint(e).endsWith("_by_position")) {
      return new StoreRefusedException(
          "PostgreSQL: "
              + doing
              + " drew a position that is taken ("
              + oneLine(e)
              + "): the sequence commit_number is behind what is stored, perhaps after a partial"
              + " restore; stop all services, and start one: it says which setval to run",
          thrown);
    }
    if (state.startsWith("23")) {
      return new StoreRefusedException(
          "PostgreSQL: "
              + doing
              + " was refused by a constraint ("
              + oneLine(e)
              + "), and nothing of it was stored; correct what it writes, or the constraint",
          thrown);
    }
    if (state.startsWith("22") || state.startsWith("54")) {
      SluiceException refused =
          new NotStorableException(
              "PostgreSQL: "
                  + doing
                  + " has a value that can't be stored ("
                  + oneLine(e)
                  + "); nothing of it was stored");
      refused.initCause(thrown);
      return refused;
    }
    if (state.equals(READ_ONLY_TRANSACTION)) {
      return new StoreUnavailableException(
          "PostgreSQL: "
              + doing
              + " met a server that only reads, a standby perhaps; point the data source at the"
              + " primary (targetServerType=primary)",
          thrown);
    }
    return new StoreUnavailableException(
        "PostgreSQL: "
            + doing
            + " failed: "
            + oneLine(e)
            + "; check that the server runs and that the pool has free connections",
        thrown);
  }

  /** A login that never worked is waited for in vain. */
  static SluiceException atStart(StoreUnavailableException e) {
    SQLException cause = sqlCause(e);
    return cause != null && state(innermost(cause)).startsWith(NO_LOGIN)
        ? new StoreRefusedException(String.valueOf(e.getMessage()), e)
        : e;
  }

  /** Of the innermost exception: a pool's own only says that there was no connection. */
  static String oneLine(SQLException thrown) {
    SQLException e = innermost(thrown);
    String message = e.getMessage() == null ? e.toString() : e.getMessage();
    return message.replaceAll("\\s*\\n\\s*", "; ")
        + (e.getSQLState() == null ? "" : " [" + state(e) + "]");
  }

  private static SQLException innermost(SQLException e) {
    SQLException innermost = e;
    for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException sql) {
        innermost = sql;
      }
    }
    return innermost;
  }

  private static String constraint(SQLException e) {
    ServerErrorMessage message = e instanceof PSQLException p ? p.getServerErrorMessage() : null;
    String constraint = message == null ? null : message.getConstraint();
    return constraint == null ? "" : constraint;
  }

  private static String state(SQLException e) {
    return e.getSQLState() == null ? "" : e.getSQLState();
  }
}
