package dev.sluice.adapter.jdbc;

import dev.sluice.core.SluiceException;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.StoreUnavailableException;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/** Reads SQL states, and turns what JDBC throws into what the ports promise. */
final class Failures {

  private static final String UNIQUE_VIOLATION = "23505";
  private static final String NOT_NULL_VIOLATION = "23502";
  private static final String LOCK_NOT_AVAILABLE = "55P03";
  private static final String MISSING_PRIVILEGE = "42501";
  private static final String READ_ONLY_TRANSACTION = "25006";

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
        || state.startsWith("54");
  }

  static boolean isUniqueViolation(SQLException e) {
    return state(e).equals(UNIQUE_VIOLATION);
  }

  static boolean isNotNullViolation(SQLException e) {
    return state(e).equals(NOT_NULL_VIOLATION);
  }

  /** A deadlock or a serialisation failure, which another try may not meet. */
  static boolean isTransient(SQLException e) {
    return state(e).startsWith("40");
  }

  static SluiceException translate(String doing, @Nullable SQLException e, Throwable thrown) {
    if (e == null) {
      return new StoreUnavailableException(
          "PostgreSQL: " + doing + " failed: " + thrown.getMessage(), thrown);
    }
    String state = state(e);
    if (state.equals(MISSING_PRIVILEGE)) {
      return new StoreRefusedException(
          "PostgreSQL: the user of this data source may not do what "
              + doing
              + " needs ("
              + oneLine(e)
              + "); grant it, or take the user who owns the schema",
          e);
    }
    if (state.equals("42P01") || state.equals("3F000") || state.equals("42703")) {
      return new StoreRefusedException(
          "PostgreSQL: "
              + doing
              + " misses a part of the schema ("
              + oneLine(e)
              + "); was it dropped, or changed by hand? JdbcStorage.create(dataSource) creates it",
          e);
    }
    if (state.equals(READ_ONLY_TRANSACTION)) {
      return new StoreUnavailableException(
          "PostgreSQL: "
              + doing
              + " met a server that only reads, a standby perhaps; point the data source at the"
              + " primary (targetServerType=primary)",
          e);
    }
    return new StoreUnavailableException(
        "PostgreSQL: "
            + doing
            + " failed: "
            + oneLine(e)
            + "; check that the server runs and that the pool has free connections",
        e);
  }

  static String oneLine(SQLException e) {
    String message = e.getMessage() == null ? e.toString() : e.getMessage();
    return message.replaceAll("\\s*\\n\\s*", "; ")
        + (e.getSQLState() == null ? "" : " [" + state(e) + "]");
  }

  private static String state(SQLException e) {
    return e.getSQLState() == null ? "" : e.getSQLState();
  }
}
