package dev.sluice.examples.bank.balances;

import dev.sluice.core.Position;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.subscription.Subscription;
import dev.sluice.examples.bank.account.Money;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * A view in the memory of this process, for any store. An event may come twice; each row remembers
 * its last one, so that it counts once.
 *
 * <p>It ends with the process, so its name must, too: a process that starts anew takes another
 * name, and reads from the beginning.
 */
public final class InMemoryBalances implements Balances {

  private static final int BATCH = 200;

  private final ConcurrentMap<String, Row> rows = new ConcurrentHashMap<>();
  private final Projection<Rows> projection;

  /** Empty. */
  public InMemoryBalances(EventCodec codec, String name) {
    projection = Balances.projection(name, codec, target -> target);
  }

  @Override
  public String name() {
    return projection.name();
  }

  @Override
  public String describe() {
    return "a map in this process, in which an event that comes twice counts once";
  }

  @Override
  public Subscription subscription() {
    return projection
        .subscription()
        .batchSize(BATCH)
        .handler(projection.writingTo(new IdempotentRows(rows)));
  }

  @Override
  public EventFilter filter() {
    return projection.filter();
  }

  @Override
  public Optional<Balance> find(String account) {
    return Optional.ofNullable(rows.get(account)).map(Row::balance);
  }

  @Override
  public Total total() {
    Money sum = Money.ZERO;
    for (Row row : rows.values()) {
      sum = sum.plus(row.balance.money());
    }
    return new Total(rows.size(), sum);
  }

  @Override
  public void drop() {
    rows.clear();
  }

  private record Row(Balance balance, Position last) {}

  private record IdempotentRows(ConcurrentMap<String, Row> rows) implements Rows {

    @Override
    public void open(String account, String holder, Position at) {
      rows.putIfAbsent(account, new Row(new Balance(holder, Money.ZERO, 0), at));
    }

    @Override
    public void move(String account, Money balance, Position at) {
      rows.computeIfPresent(
          account,
          (id, row) ->
              at.isAfter(row.last)
                  ? new Row(
                      new Balance(row.balance.holder(), balance, row.balance.movements() + 1), at)
                  : row);
    }
  }
}
