package dev.sluice.adapter.jdbc;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The pairs of category and event type that the store knows, by number. They are few, only ever
 * added, and committed before their first event, so a copy in memory is right until an unknown
 * number shows up.
 */
final class EventKinds {

  private final Database database;
  private volatile Known known = new Known(Map.of(), Map.of());

  EventKinds(Database database) {
    this.database = database;
  }

  /** What is known now, without asking the store. */
  Known known() {
    return known;
  }

  /**
   * The number of a kind, which is added if it is new: on a connection of its own and at once, so
   * that it is there before any event of it, and stays if the append is rolled back.
   */
  int idOf(String category, String type) {
    Kind kind = new Kind(category, type);
    Integer id = known.ids.get(kind);
    return id != null ? id : add(kind);
  }

  private int add(Kind kind) {
    Known now =
        database.call(
            // Whoever appends in a transaction has a connection already, and meets this with a pool
            // of one.
            "adding the event type '"
                + kind.type
                + "', new in the category '"
                + kind.category
                + "', on a second connection beside that of the transaction, if it has one,",
            connection -> {
              try (PreparedStatement insert =
                  connection.prepareStatement(database.sql().get("add-kind"))) {
                insert.setString(1, kind.category);
                insert.setString(2, kind.type);
                insert.executeUpdate();
              }
              return reload(connection);
            });
    Integer id = now.ids.get(kind);
    if (id == null) {
      throw new IllegalStateException("the event kind " + kind + " was stored, but is not there");
    }
    return id;
  }

  /** Reads all kinds. */
  Known reload(Connection connection) throws SQLException {
    Map<Integer, Kind> kinds = new HashMap<>();
    Map<Kind, Integer> ids = new HashMap<>();
    try (PreparedStatement select = connection.prepareStatement(database.sql().get("kinds"));
        ResultSet rows = select.executeQuery()) {
      while (rows.next()) {
        Kind kind = new Kind(rows.getString(2), rows.getString(3));
        kinds.put(rows.getInt(1), kind);
        ids.put(kind, rows.getInt(1));
      }
    }
    Known fresh = new Known(Map.copyOf(kinds), Map.copyOf(ids));
    synchronized (this) {
      // Two reloads may end in another order than they began; kinds are never removed.
      if (fresh.kinds.size() >= known.kinds.size()) {
        known = fresh;
      }
      return known;
    }
  }

  record Kind(String category, String type) {}

  record Known(Map<Integer, Kind> kinds, Map<Kind, Integer> ids) {

    @Nullable Kind get(int id) {
      return kinds.get(id);
    }
  }
}
