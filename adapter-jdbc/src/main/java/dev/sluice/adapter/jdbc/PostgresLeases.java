package dev.sluice.adapter.jdbc;

import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.coordination.LeaseStore;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The lease table, through JDBI. Time is the server's. */
final class PostgresLeases implements LeaseStore {

  private final Database.HandleSource handles;
  private final Sql sql;

  PostgresLeases(Database.HandleSource handles, Sql sql) {
    this.handles = handles;
    this.sql = sql;
  }

  @Override
  public Optional<Lease> acquire(String name, String owner, Duration duration) {
    long micros = micros(duration);
    return handles.call(
        "acquiring lease '" + name + "'",
        handle ->
            handle
                .createQuery(sql.get("lease-acquire"))
                .bind("name", name)
                .bind("owner", owner)
                .bind("micros", micros)
                .map((row, context) -> lease(row))
                .findOne());
  }

  @Override
  public Lease renew(Lease lease, Duration duration) {
    long micros = micros(duration);
    return handles
        .call(
            "renewing lease '" + lease.name() + "'",
            handle ->
                handle
                    .createQuery(sql.get("lease-renew"))
                    .bind("name", lease.name())
                    .bind("owner", lease.owner())
                    .bind("token", lease.token())
                    .bind("micros", micros)
                    .map((row, context) -> lease(row))
                    .findOne())
        .orElseThrow(() -> new LeaseLostException(lease));
  }

  @Override
  public void release(Lease lease) {
    handles.call(
        "releasing lease '" + lease.name() + "'",
        handle ->
            handle
                .createUpdate(sql.get("lease-release"))
                .bind("name", lease.name())
                .bind("owner", lease.owner())
                .bind("token", lease.token())
                .execute());
  }

  @Override
  public List<Lease> list(String prefix) {
    return handles.call(
        "listing leases",
        handle ->
            handle
                .createQuery(sql.get("lease-list"))
                .bind("prefix", prefix)
                .map((row, context) -> lease(row))
                .list());
  }

  private static long micros(Duration duration) {
    if (duration.compareTo(Duration.ofMillis(1)) < 0) {
      throw new IllegalArgumentException("a lease lasts at least 1 millisecond, not " + duration);
    }
    return TimeUnit.MICROSECONDS.convert(duration);
  }

  private static Lease lease(ResultSet row) throws SQLException {
    return new Lease(
        row.getString("name"),
        row.getString("owner"),
        row.getLong("token"),
        row.getObject("expires_at", OffsetDateTime.class).toInstant());
  }
}
