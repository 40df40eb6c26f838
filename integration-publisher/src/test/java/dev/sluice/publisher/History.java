package dev.sluice.publisher;

import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.Storage;
import dev.sluice.core.translation.EventAssembler;
import dev.sluice.core.translation.HistoryOutbox;
import dev.sluice.core.translation.Outgoing;
import dev.sluice.core.translation.Translation;
import dev.sluice.core.translation.Translator;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * A domain whose events become two integration events each, from a moment on, and one of another
 * type, from a later moment on.
 */
final class History {
  static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  static final Instant LATER = Instant.parse("2026-02-01T00:00:00Z");
  static final String COUNTED = "bank.counted";

  private static final JacksonSerializer JSON = JacksonSerializer.create();
  private static final EventCodec CODEC =
      EventCodec.of(EventTypes.<DomainEvent>of(Deposited.class), JSON);
  private static final Translation TRANSLATION =
      translation(
          deposited ->
              List.of(
                  Outgoing.of(new Told(deposited.number() + "a")),
                  Outgoing.of(new Told(deposited.number() + "b"))));

  /** The translation of the version that came later. */
  static final Translation SECOND =
      Translation.of(
              Translator.builder()
                  .many(
                      Deposited.class,
                      (deposited, source) ->
                          List.of(
                              Outgoing.of(new Told(deposited.number() + "a")),
                              Outgoing.of(new Counted(deposited.number())),
                              Outgoing.of(new Told(deposited.number() + "b"))))
                  .build(),
              EventTypes.<IntegrationEvent>builder()
                  .addAll(Told.class)
                  .addAll(Counted.class)
                  .build(),
              JSON)
          .startingAt(KafkaFixture.DEPOSIT, START)
          .startingAt(COUNTED, LATER);

  private History() {}

  @EventType("deposited")
  record Deposited(int number) implements DomainEvent {}

  @EventType(KafkaFixture.DEPOSIT)
  record Told(String text) implements IntegrationEvent {}

  @EventType(COUNTED)
  record Counted(int number) implements IntegrationEvent {}

  /** One message for one event in so many. */
  static Translation rarely(int every) {
    return translation(
        deposited ->
            deposited.number() % every == 0
                ? List.of(Outgoing.of(new Told("" + deposited.number())))
                : List.of());
  }

  private static Translation translation(Function<Deposited, List<Outgoing>> translator) {
    return Translation.of(
            Translator.builder()
                .many(Deposited.class, (deposited, source) -> translator.apply(deposited))
                .build(),
            EventTypes.of(Told.class),
            JSON)
        .startingAt(KafkaFixture.DEPOSIT, START);
  }

  static Outbox missed(Storage storage) {
    return missed(storage.globalLog(), TRANSLATION, KafkaFixture.DEPOSIT);
  }

  /** By a translator with a bug. */
  static Outbox missed(Storage storage, RuntimeException bug) {
    return missed(
        storage.globalLog(),
        translation(
            deposited -> {
              if (deposited.number() == 3) {
                throw bug;
              }
              return List.of(Outgoing.of(new Told(deposited.number() + "a")));
            }),
        KafkaFixture.DEPOSIT);
  }

  static Outbox missed(GlobalLog log, Translation translation, String... types) {
    return new HistoryOutbox(log, EventFilter.types("deposited"), CODEC, translation, types);
  }

  /** Appends events that happened one after the other, a second apart. */
  static void append(Storage storage, String key, int first, int count, Instant time) {
    EventAssembler assembler = new EventAssembler(CODEC, TRANSLATION);
    StreamId stream = StreamId.of("account", key);
    List<NewEvent> events = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      events.add(
          assembler.assemble(
              stream,
              EventIds.next(),
              time.plusSeconds(i),
              Metadata.EMPTY,
              new Deposited(first + i)));
    }
    storage.eventStore().append(new Append(stream, ExpectedVersion.any(), events));
  }

  /** What is told of events, in order. */
  static List<String> told(int first, int count) {
    List<String> texts = new ArrayList<>();
    for (int i = first; i < first + count; i++) {
      texts.add("{\"text\":\"" + i + "a\"}");
      texts.add("{\"text\":\"" + i + "b\"}");
    }
    return texts;
  }
}
