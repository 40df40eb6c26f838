package dev.sluice.adapter.jdbc;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreRefusedException;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Turns rows of the event table into events. */
final class EventRows {

  private static final long MICROS = 1_000_000;

  private EventRows() {}

  /** Reads all rows. A stream that is known beforehand need not be parsed from each row. */
  static List<RecordedEvent> read(
      ResultSet rows, EventKinds kinds, Connection connection, @Nullable StreamId stream)
      throws SQLException {
    List<RecordedEvent> events = new ArrayList<>();
    EventKinds.Known known = kinds.known();
    while (rows.next()) {
      int id = rows.getInt(4);
      EventKinds.Kind kind = known.get(id);
      if (kind == null) {
        known = kinds.reload(connection);
        kind = known.get(id);
        if (kind == null) {
          StreamId of = stream != null ? stream : StreamId.parse(rows.getString(6));
          throw new StoreRefusedException(
              "PostgreSQL: the event at position "
                  + rows.getLong(1)
                  + " is of kind "
                  + id
                  + ", whose row in event_kind is missing, perhaps since a failover or a restore;"
                  + " put it back, with the event's type: insert into event_kind (id, category,"
                  + " type) overriding system value values ("
                  + id
                  + ", '"
                  + of.category()
                  + "', '…')");
        }
      }
      events.add(
          new RecordedEvent(
              rows.getObject(5, UUID.class),
              stream != null ? stream : StreamId.parse(rows.getString(6)),
              rows.getLong(2),
              new Position(rows.getLong(1)),
              kind.type(),
              instant(rows.getLong(3)),
              Payload.of(rows.getBytes(7)),
              Payload.of(rows.getBytes(8))));
    }
    return events;
  }

  static Instant instant(long micros) {
    return Instant.ofEpochSecond(
        Math.floorDiv(micros, MICROS), Math.floorMod(micros, MICROS) * 1_000);
  }

  /**
   * Microseconds since the epoch.
   *
   * @throws ArithmeticException beyond about 292,000 years from now
   */
  static long micros(Instant time) {
    return Math.addExact(Math.multiplyExact(time.getEpochSecond(), MICROS), time.getNano() / 1_000);
  }
}
