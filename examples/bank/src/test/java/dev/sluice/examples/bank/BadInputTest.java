package dev.sluice.examples.bank;

import static dev.sluice.examples.bank.account.Money.chf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.Position;
import dev.sluice.core.UnregisteredTypeException;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.SerializationException;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.Storage;
import dev.sluice.core.translation.Translation;
import dev.sluice.core.translation.Translator;
import dev.sluice.testservers.PostgresServer;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a service can be given that is wrong: one clear message each, and nothing half-written. */
@Timeout(180)
class BadInputTest {

  /** Not sealed, so nobody can know beforehand that a class of it has no name. */
  interface Noted extends DomainEvent {}

  @EventType("noted")
  record Plain(String text) implements Noted {}

  record Forgotten(String text) implements Noted {}

  @EventType("unwritable")
  record Unwritable(Refusing part) implements Noted {}

  /** Has a property that can't be read. */
  static final class Refusing {
    @SuppressWarnings("DoNotCallSuggester") // For the serialiser, which is to be refused.
    public String getText() {
      throw new IllegalStateException("no text");
    }
  }

  @EventType("told")
  record Told(String text) implements IntegrationEvent {}

  record Untold(Refusing part) implements IntegrationEvent {}

  /** Stores what it is given. */
  record Notes() implements Decider<List<Noted>, Integer, Noted> {
    @Override
    public Integer initial() {
      return 0;
    }

    @Override
    public Integer evolve(Integer count, Noted event) {
      return count + 1;
    }

    @Override
    public List<Noted> decide(List<Noted> command, Integer count) {
      return command;
    }
  }

  private final JacksonSerializer json = JacksonSerializer.create();
  private Storage storage = InMemoryStorage.create();

  @AfterEach
  void close() {
    storage.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"inmemory", "postgres"})
  void an_empty_or_over_long_id_is_refused(String store) {
    Bank bank = new Bank(open(store), json);
    assertThatThrownBy(() -> bank.open("", "Anna", "756"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the stream id in category 'account' is empty; use 1 to 255 chars");
    assertThatThrownBy(() -> bank.open("x".repeat(256), "Anna", "756"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'xxxxxxxxxxxxxxxxxxxx…' in category 'account' has 256 chars")
        .hasMessageContaining("use at most 255");
    assertNothingIsStored();
  }

  @ParameterizedTest
  @ValueSource(strings = {"inmemory", "postgres"})
  void an_event_class_without_a_name_is_refused_with_all_events_of_the_command(String store) {
    var notes = notes(open(store), Translation.of(telling(), EventTypes.of(Told.class), json));
    assertThatThrownBy(() -> notes.handle("1", List.of(new Plain("a"), new Forgotten("b"))))
        .isInstanceOf(UnregisteredTypeException.class)
        .hasMessageContaining("BadInputTest$Forgotten has no registered event type name")
        .hasMessageContaining("give it an @EventType and register it with EventTypes");
    assertNothingIsStored();
  }

  @ParameterizedTest
  @ValueSource(strings = {"inmemory", "postgres"})
  void a_payload_that_cannot_be_serialised_is_refused_with_all_events_of_the_command(String store) {
    var notes = notes(open(store), Translation.of(telling(), EventTypes.of(Told.class), json));
    assertThatThrownBy(
            () -> notes.handle("1", List.of(new Plain("a"), new Unwritable(new Refusing()))))
        .isInstanceOf(SerializationException.class)
        .hasMessageContaining("BadInputTest$Unwritable can't be written as JSON")
        .hasMessageContaining("no text");
    assertNothingIsStored();
  }

  @ParameterizedTest
  @ValueSource(strings = {"inmemory", "postgres"})
  void an_integration_event_that_is_not_in_the_published_language_is_refused(String store) {
    Translator wrong =
        Translator.builder().one(Plain.class, plain -> new Untold(new Refusing())).build();
    var notes = notes(open(store), Translation.of(wrong, EventTypes.of(Told.class), json));
    assertThatThrownBy(() -> notes.handle("1", List.of(new Plain("a"))))
        .isInstanceOf(UnregisteredTypeException.class)
        .hasMessageContaining("BadInputTest$Untold has no registered event type name");
    assertNothingIsStored();
  }

  @ParameterizedTest
  @ValueSource(strings = {"inmemory", "postgres"})
  void a_stored_event_that_nobody_knows_is_named_with_its_place(String store) {
    notes(open(store), Translation.none()).handle("1", List.of(new Plain("a"), new Plain("b")));
    EventCodec older =
        EventCodec.of(
            EventTypes.<DomainEvent>builder().add("unwritable", Unwritable.class).build(), json);
    var service = CommandHandler.builder(storage, older, "notes", Noted.class, new Notes()).build();

    assertThatThrownBy(() -> service.handle("1", List.of(new Unwritable(new Refusing()))))
        .isInstanceOf(UnregisteredTypeException.class)
        .hasMessage(
            "the stored event type 'noted' (notes-1, version 1) has no registered class; register"
                + " it with EventTypes, as an alias if it was renamed");
    assertThat(storage.eventStore().readFrom(StreamId.of("notes", "1"), 1)).hasSize(2);
  }

  private Storage open(String store) {
    if (store.equals("postgres")) {
      storage = JdbcStorage.create(PostgresServer.shared().newDatabase().dataSource());
    }
    return storage;
  }

  private CommandHandler<List<Noted>, Integer, Noted> notes(
      Storage store, Translation translation) {
    EventCodec codec =
        EventCodec.of(
            EventTypes.<DomainEvent>builder().addAll(Plain.class).addAll(Unwritable.class).build(),
            json);
    return CommandHandler.builder(store, codec, "notes", Noted.class, new Notes())
        .translation(translation)
        .build();
  }

  private static Translator telling() {
    return Translator.builder().one(Plain.class, plain -> new Told(plain.text())).build();
  }

  private void assertNothingIsStored() {
    assertThat(storage.globalLog().count(Position.START, EventFilter.ALL)).isZero();
    assertThat(storage.outbox().count(Position.START)).isZero();
    // The check sees what there is.
    new Bank(storage, json).open("1", "Anna", "756");
    new Bank(storage, json).deposit("1", chf(10_000), "");
    assertThat(storage.globalLog().count(Position.START, EventFilter.ALL)).isEqualTo(2);
    assertThat(storage.outbox().count(Position.START)).isEqualTo(1);
  }
}
