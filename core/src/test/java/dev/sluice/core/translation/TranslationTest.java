package dev.sluice.core.translation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.UnregisteredTypeException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TranslationTest {

  record Deposited(long cents, String pin) implements DomainEvent {}

  record Renamed() implements DomainEvent {}

  sealed interface Published extends IntegrationEvent {
    @EventType("large-deposit")
    record LargeDeposit(long cents) implements Published {}

    @EventType("account-active")
    record AccountActive() implements Published {}
  }

  record Stranger() implements IntegrationEvent {}

  private static final Source SOURCE =
      new Source(
          StreamId.of("account", "42"),
          EventIds.next(),
          Instant.parse("2026-01-02T03:04:05.123456Z"),
          Metadata.EMPTY.withCorrelationId("c"));

  @Test
  void letsNothingOutThatNobodyTranslates() {
    Translation translation = translation(Translator.builder().build());
    assertThat(translation.translate(new Renamed(), SOURCE)).isEmpty();
    assertThat(Translation.none().translate(new Renamed(), SOURCE)).isEmpty();
  }

  @Test
  void makesAMessageOfWhatTheTranslatorSays() {
    Translation translation =
        translation(
            Translator.builder()
                .one(Deposited.class, event -> new Published.LargeDeposit(event.cents()))
                .build());
    IntegrationMessage message = translation.translate(new Deposited(7, "1234"), SOURCE).getFirst();
    assertThat(message.type()).isEqualTo("large-deposit");
    assertThat(message.key()).isEqualTo("42");
    assertThat(message.subject()).isEqualTo("42");
    assertThat(message.time()).isEqualTo(SOURCE.time());
    assertThat(message.data().toUtf8()).isEqualTo("{\"cents\":7}");
    assertThat(message.correlationId()).contains("c");
    assertThat(message.causationId()).isEmpty();
  }

  @Test
  void givesTheSameIdsEachTimeAndAlsoWhenAnotherTypeJoins() {
    Translator before =
        Translator.builder()
            .many(Deposited.class, (event, source) -> List.of(large(1), large(2)))
            .build();
    Translator after =
        Translator.builder()
            .many(
                Deposited.class,
                (event, source) ->
                    List.of(Outgoing.of(new Published.AccountActive()), large(1), large(2)))
            .build();
    Deposited event = new Deposited(7, "1234");
    var ids = translation(before).translate(event, SOURCE).stream().map(m -> m.id()).toList();
    var idsAfter = translation(after).translate(event, SOURCE).stream().map(m -> m.id()).toList();
    assertThat(ids).doesNotHaveDuplicates().hasSize(2);
    assertThat(idsAfter).hasSize(3).endsWith(ids.get(0), ids.get(1)).doesNotHaveDuplicates();
  }

  @Test
  void orderIsKeptByAKeyOfTheTranslatorsChoice() {
    Translator translator =
        Translator.builder()
            .many(Deposited.class, (event, source) -> List.of(large(1).withKey("branch-7")))
            .build();
    assertThat(translation(translator).translate(new Deposited(7, ""), SOURCE).getFirst().key())
        .isEqualTo("branch-7");
  }

  @Test
  void aKeyThatARelayCouldNotNoteIsRefused() {
    String longest = "é".repeat(512);
    assertThat(keyed(longest).translate(new Deposited(7, ""), SOURCE).getFirst().key())
        .isEqualTo(longest);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> keyed(longest + "k").translate(new Deposited(7, ""), SOURCE))
        .withMessageContainingAll("large-deposit", "1025 bytes", "at most 1024");
    // That of an aggregate is never too long.
    Source longestId =
        new Source(
            StreamId.of("account", "語".repeat(StreamId.MAX_ID_LENGTH)),
            SOURCE.eventId(),
            SOURCE.time(),
            SOURCE.metadata());
    assertThat(
            translation(Translator.builder().one(Deposited.class, e -> large(1).event()).build())
                .translate(new Deposited(7, ""), longestId))
        .hasSize(1);
  }

  private static Translation keyed(String key) {
    return translation((event, source) -> List.of(large(1).withKey(key)));
  }

  @Test
  void someEventsOnly() {
    Translator translator =
        Translator.builder()
            .some(
                Deposited.class,
                event ->
                    event.cents() > 10
                        ? Optional.of(new Published.LargeDeposit(event.cents()))
                        : Optional.empty())
            .build();
    assertThat(translation(translator).translate(new Deposited(10, ""), SOURCE)).isEmpty();
    assertThat(translation(translator).translate(new Deposited(11, ""), SOURCE)).hasSize(1);
  }

  @Test
  void refusesAnEventThatIsNotInThePublishedLanguage() {
    Translation translation =
        translation(Translator.builder().one(Deposited.class, event -> new Stranger()).build());
    assertThatThrownBy(() -> translation.translate(new Deposited(7, ""), SOURCE))
        .isInstanceOf(UnregisteredTypeException.class)
        .hasMessageContaining("Stranger")
        .hasMessageContaining("Translation.of");
  }

  @Test
  @SuppressWarnings("NullAway") // Bugs of the service's.
  void saysThatATranslatorHasABugInsteadOfFailingLater() {
    List<Translator> silent =
        List.of(
            (event, source) -> null,
            (event, source) -> Collections.singletonList(null),
            Translator.builder().one(Deposited.class, event -> null).build(),
            Translator.builder().some(Deposited.class, event -> null).build(),
            Translator.builder().many(Deposited.class, (event, source) -> null).build());
    for (Translator translator : silent) {
      assertThatThrownBy(() -> translation(translator).translate(new Deposited(7, ""), SOURCE))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("returned null")
          .hasMessageContaining(Deposited.class.getName())
          .hasMessageContaining("a bug in it");
    }
  }

  @Test
  void refusesATranslationOfAnInterfaceWhichWouldLetNothingOut() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Translator.builder().one(DomainEvent.class, event -> new Stranger()))
        .withMessageContaining("DomainEvent");
  }

  @Test
  void refusesASecondTranslationOfAClass() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                Translator.builder()
                    .one(Renamed.class, event -> new Stranger())
                    .one(Renamed.class, event -> new Stranger()))
        .withMessageContaining("Renamed");
  }

  private static Outgoing large(long cents) {
    return Outgoing.of(new Published.LargeDeposit(cents));
  }

  private static Translation translation(Translator translator) {
    return Translation.of(translator, EventTypes.of(Published.class), JacksonSerializer.create());
  }
}
