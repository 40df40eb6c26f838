package dev.sluice.adapter.jdbc;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.jdbi.v3.core.Handle;

/** The checkpoint table, through JDBI. */
final class PostgresCheckpoints implements CheckpointStore {

  private final Database.HandleSource handles;
  private final Sql sql;

  PostgresCheckpoints(Database.HandleSource handles, Sql sql) {
    this.handles = handles;
    this.sql = sql;
  }

  @Override
  public Optional<Checkpoint> load(String name) {
    return handles.call("loading checkpoint '" + name + "'", handle -> load(handle, name));
  }

  private Optional<Checkpoint> load(Handle handle, String name) {
    return handle
        .createQuery(sql.get("checkpoint-load"))
        .bind("name", name)
        .map((row, context) -> checkpoint(row))
        .findOne();
  }

  @Override
  public void save(Checkpoint checkpoint) {
    String statement =
        checkpoint.revision() == 1 ? "checkpoint-save-first" : "checkpoint-save-next";
    handles.call(
        "saving checkpoint '" + checkpoint.name() + "'",
        handle -> {
          int saved =
              handle
                  .createUpdate(sql.get(statement))
                  .bind("name", checkpoint.name())
                  .bind("position", checkpoint.position().value())
                  .bind("state", checkpoint.state().toBytes())
                  .bind("token", checkpoint.token())
                  .bind("revision", checkpoint.revision())
                  .execute();
          if (saved == 0) {
            throw new CheckpointConflictException(checkpoint, load(handle, checkpoint.name()));
          }
          return saved;
        });
  }

  @Override
  public List<Checkpoint> list(String prefix) {
    return handles.call(
        "listing checkpoints",
        handle ->
            handle
                .createQuery(sql.get("checkpoint-list"))
                .bind("prefix", prefix)
                .map((row, context) -> checkpoint(row))
                .list());
  }

  @Override
  public void delete(String name) {
    handles.call(
        "deleting checkpoint '" + name + "'",
        handle -> handle.createUpdate(sql.get("checkpoint-delete")).bind("name", name).execute());
  }

  private static Checkpoint checkpoint(ResultSet row) throws SQLException {
    return new Checkpoint(
        row.getString("name"),
        new Position(row.getLong("position")),
        Payload.of(row.getBytes("state")),
        row.getLong("token"),
        row.getLong("revision"));
  }
}
