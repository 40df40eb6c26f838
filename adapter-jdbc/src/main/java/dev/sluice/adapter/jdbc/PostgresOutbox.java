package dev.sluice.adapter.jdbc;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** The outbox table in order of positions, up to the same horizon as the log. */
final class PostgresOutbox implements Outbox {

  private static final int PRUNE_BATCH = 5_000;

  private final Database database;
  private final Horizon horizon;
  private final WakeUps wakeUps;
  private final String page;
  private final String head;
  private final String count;

  PostgresOutbox(Database database, Horizon horizon, WakeUps wakeUps) {
    this.database = database;
    this.horizon = horizon;
    this.wakeUps = wakeUps;
    Map<String, String> until = Map.of("until", database.sql().get("horizon-position"));
    this.page = database.sql().get("outbox", until);
    this.head = database.sql().get("outbox-head", until);
    this.count = database.sql().get("outbox-count", until);
  }

  @Override
  public List<OutboxMessage> read(Position after, int limit) {
    Outbox.checkedLimit(limit);
    return database.call(
        "reading the outbox",
        connection ->
            horizon.ask(
                connection,
                page,
                (statement, first) -> {
                  statement.setLong(first, after.value());
                  statement.setInt(first + 1, limit);
                },
                this::messages));
  }

  private List<OutboxMessage> messages(ResultSet rows) throws SQLException {
    List<OutboxMessage> messages = new ArrayList<>();
    while (rows.next()) {
      messages.add(
          new OutboxMessage(
              new Position(rows.getLong(1)),
              new IntegrationMessage(
                  rows.getObject(3, UUID.class),
                  rows.getString(4),
                  rows.getString(5),
                  rows.getString(6),
                  EventRows.instant(rows.getLong(2)),
                  Payload.of(rows.getBytes(9)),
                  Optional.ofNullable(rows.getString(7)),
                  Optional.ofNullable(rows.getString(8)))));
    }
    if (!messages.isEmpty()) {
      horizon.show(messages.getLast().position().value());
    }
    return messages;
  }

  @Override
  public Position head() {
    long reached = number("asking for the outbox's head", head, (statement, first) -> {});
    horizon.show(reached);
    return new Position(reached);
  }

  @Override
  public long count(Position after) {
    return number(
        "counting messages", count, (statement, first) -> statement.setLong(first, after.value()));
  }

  private long number(String doing, String query, Horizon.Binder binder) {
    return database.call(
        doing, connection -> horizon.ask(connection, query, binder, Horizon::number));
  }

  @Override
  public int prune(int max) {
    if (max < 1) {
      throw new IllegalArgumentException("at least one message is removed, not " + max);
    }
    int removed = 0;
    while (removed < max) {
      int batch = Math.min(PRUNE_BATCH, max - removed);
      int now = pruneBatch(batch);
      removed += now;
      if (now < batch) {
        break;
      }
    }
    return removed;
  }

  /** Each batch is a transaction of its own, so that locks and the work of a replica stay short. */
  private int pruneBatch(int max) {
    return database.call(
        "pruning the outbox",
        connection -> {
          try (PreparedStatement delete =
              connection.prepareStatement(database.sql().get("outbox-prune"))) {
            delete.setString(1, RELAY_PREFIX);
            delete.setInt(2, max);
            try (ResultSet row = delete.executeQuery()) {
              row.next();
              return row.getInt(1);
            }
          }
        });
  }

  @Override
  public Registration onAppend(Runnable hint) {
    return wakeUps.register(hint);
  }
}
