package dev.sluice.adapter.jdbc;

import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/** Streams in the event table. Subclasses say in which transactions. */
abstract class PostgresEventStore implements EventStore {

  private final EventKinds kinds;
  private final AppendStatements statements;
  private final String forwards;
  private final String backwards;

  PostgresEventStore(Database database, EventKinds kinds) {
    this.kinds = kinds;
    this.statements = AppendStatements.alone(database.sql());
    this.forwards = database.sql().get("stream-forwards");
    this.backwards = database.sql().get("stream-backwards");
  }

  abstract AppendResult append(ReadyAppend append);

  abstract <T> T call(String doing, Database.ConnectionWork<T> work);

  @Override
  public final AppendResult append(Append append) {
    return append(ReadyAppend.of(append, kinds));
  }

  @Override
  public final List<RecordedEvent> read(StreamId stream, StreamRange range) {
    return call(
        "reading " + stream,
        connection -> {
          try (PreparedStatement select =
              connection.prepareStatement(range.backwards() ? backwards : forwards)) {
            select.setString(1, stream.toString());
            select.setLong(2, range.from());
            select.setInt(3, range.limit());
            try (ResultSet rows = select.executeQuery()) {
              return EventRows.read(rows, kinds, connection, stream);
            }
          }
        });
  }

  @Override
  public final Optional<StoredEvent> find(UUID eventId) {
    return call(
        "finding event " + eventId,
        connection -> statements.stored(connection, List.of(eventId)).stream().findFirst());
  }
}
