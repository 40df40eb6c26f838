package dev.sluice.adapter.jdbc;

import dev.sluice.core.Payload;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.SnapshotStore;
import java.util.Optional;

/** The snapshot table, through JDBI. */
final class PostgresSnapshots implements SnapshotStore {

  private final Database.HandleSource handles;
  private final Sql sql;

  PostgresSnapshots(Database.HandleSource handles, Sql sql) {
    this.handles = handles;
    this.sql = sql;
  }

  @Override
  public Optional<Snapshot> load(StreamId stream, String schema) {
    return handles.call(
        "loading the snapshot of " + stream,
        handle ->
            handle
                .createQuery(sql.get("snapshot-load"))
                .bind("stream", stream.toString())
                .bind("schema", schema)
                .map(
                    (row, context) ->
                        new Snapshot(
                            stream,
                            schema,
                            row.getLong("version"),
                            Payload.of(row.getBytes("state"))))
                .findOne());
  }

  @Override
  public void save(Snapshot snapshot) {
    handles.call(
        "saving the snapshot of " + snapshot.stream(),
        handle ->
            handle
                .createUpdate(sql.get("snapshot-save"))
                .bind("stream", snapshot.stream().toString())
                .bind("schema", snapshot.schema())
                .bind("version", snapshot.version())
                .bind("state", snapshot.state().toBytes())
                .execute());
  }

  @Override
  public void delete(StreamId stream) {
    handles.call(
        "deleting the snapshots of " + stream,
        handle ->
            handle
                .createUpdate(sql.get("snapshot-delete"))
                .bind("stream", stream.toString())
                .execute());
  }
}
