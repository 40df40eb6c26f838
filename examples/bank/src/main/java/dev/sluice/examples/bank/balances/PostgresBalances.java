package dev.sluice.examples.bank.balances;

import dev.sluice.adapter.jdbc.JdbcProjections;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.Position;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.examples.bank.account.Money;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jdbi.v3.core.Handle;

/**
 * A table beside the events: each event changes it exactly once, since the change and the
 * checkpoint are one transaction.
 */
public final class PostgresBalances implements Balances {

  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9-]{0,40}");
  private static final String SCHEMA = "bank";
  private static final int BATCH = 200;

  private final JdbcStorage storage;
  private final String table;
  private final Projection<Handle> projection;

  /** Makes the table, if it isn't there. */
  public PostgresBalances(JdbcStorage storage, EventCodec codec, String name) {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException("'" + name + "' can't name a table; use a to z and '-'");
    }
    this.storage = storage;
    this.table = SCHEMA + "." + name.replace('-', '_');
    this.projection = Balances.projection(name, codec, handle -> new TableRows(handle, table));
    inTransaction(
        handle -> {
          handle.execute("create schema if not exists " + SCHEMA);
          return handle.execute(
              "create table if not exists "
                  + table
                  + " (account text primary key, holder text not null, cents bigint not null,"
                  + " movements bigint not null)");
        });
  }

  @Override
  public String name() {
    return projection.name();
  }

  @Override
  public String describe() {
    return "the table " + table + ", changed in one transaction with its checkpoint";
  }

  @Override
  public Subscription subscription() {
    return projection
        .subscription()
        .batchSize(BATCH)
        .processor(JdbcProjections.transactional(storage, projection));
  }

  @Override
  public EventFilter filter() {
    return projection.filter();
  }

  @Override
  public Optional<Balance> find(String account) {
    return inTransaction(
        handle ->
            handle
                .select(
                    "select holder, cents, movements from " + table + " where account = ?", account)
                .map(
                    (row, context) ->
                        new Balance(row.getString(1), new Money(row.getLong(2)), row.getLong(3)))
                .findFirst());
  }

  @Override
  public Total total() {
    return inTransaction(
        handle ->
            handle
                .select("select count(*), coalesce(sum(cents), 0)::bigint from " + table)
                .map((row, context) -> new Total(row.getLong(1), new Money(row.getLong(2))))
                .one());
  }

  @Override
  public void drop() {
    inTransaction(handle -> handle.execute("drop table if exists " + table));
  }

  private <R> R inTransaction(Function<Handle, R> work) {
    return storage.inTransaction(transaction -> work.apply(transaction.handle()));
  }

  private record TableRows(Handle handle, String table) implements Rows {

    @Override
    public void open(String account, String holder, Position at) {
      handle.execute("insert into " + table + " values (?, ?, 0, 0)", account, holder);
    }

    @Override
    public void move(String account, Money balance, Position at) {
      handle.execute(
          "update " + table + " set cents = ?, movements = movements + 1 where account = ?",
          balance.cents(),
          account);
    }
  }
}
