package dev.sluice.adapter.jdbc;

import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.projection.Projection;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jdbi.v3.core.Handle;

/** A view whose sums show each event that is lost or comes twice. */
final class BalancesView {

  record Deposited(long cents) implements DomainEvent {}

  static final EventCodec CODEC =
      EventCodec.of(
          EventTypes.<DomainEvent>builder().add("deposited", Deposited.class).build(),
          JacksonSerializer.create());

  private BalancesView() {}

  static void create(Handle handle, String table) {
    handle.execute(
        "create table if not exists "
            + table
            + " (account text primary key, cents bigint not null, events bigint not null)");
  }

  static Projection<Handle> projection(String name, String table, Consumer<RecordedEvent> before) {
    return Projection.<Handle>named(name, CODEC)
        .on(
            Deposited.class,
            (handle, event, recorded) -> {
              before.accept(recorded);
              handle.execute(
                  "insert into "
                      + table
                      + " as v values (?, ?, 1) on conflict (account) do update set cents = v.cents"
                      + " + excluded.cents, events = v.events + 1",
                  recorded.stream().id(),
                  event.cents());
            })
        .build();
  }

  static Map<String, List<Long>> read(Handle handle, String table) {
    Map<String, List<Long>> view = new TreeMap<>();
    handle
        .createQuery("select account, cents, events from " + table)
        .map((row, context) -> view.put(row.getString(1), List.of(row.getLong(2), row.getLong(3))))
        .list();
    return view;
  }

  static Map<String, List<Long>> fold(List<RecordedEvent> events) {
    Map<String, List<Long>> view = new TreeMap<>();
    for (RecordedEvent event : events) {
      long cents = ((Deposited) CODEC.decode(event)).cents();
      view.merge(
          event.stream().id(),
          List.of(cents, 1L),
          (a, b) -> List.of(a.get(0) + b.get(0), a.get(1) + b.get(1)));
    }
    return view;
  }

  static List<NewEvent> deposits(int first, int count) {
    return IntStream.range(first, first + count)
        .mapToObj(
            i ->
                new NewEvent(
                    EventIds.next(),
                    "deposited",
                    Instant.now(),
                    CODEC.encode(new Deposited(i)),
                    Payload.EMPTY,
                    List.of()))
        .toList();
  }
}
