package dev.sluice.core.serialization;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.UnregisteredTypeException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Currency;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class EventCodecTest {

  record Deposited(BigDecimal amount, Optional<String> note, Instant at) implements DomainEvent {}

  record DepositedOnce(long francs) implements DomainEvent {}

  record DepositedTwice(long cents) implements DomainEvent {}

  record DepositedNow(long cents, Currency currency) implements DomainEvent {}

  record Unwritable(Object part) implements DomainEvent {

    static class Part {
      public int getValue() {
        throw new IllegalStateException("no value");
      }
    }
  }

  private final EventCodec codec =
      EventCodec.of(
          EventTypes.<DomainEvent>builder()
              .add("deposited", Deposited.class)
              .add("deposited-1", DepositedOnce.class)
              .add("deposited-2", DepositedTwice.class)
              .add("deposited-3", DepositedNow.class)
              .add("unwritable", Unwritable.class)
              .build(),
          JacksonSerializer.create());

  @Test
  void givesBackWhatItWasGiven() {
    var event =
        new Deposited(
            new BigDecimal("10.50"),
            Optional.of("\u0000 \"\uD83D\uDE00\""),
            Instant.ofEpochSecond(1, 1));
    assertThat(codec.decode(recorded("deposited", codec.encode(event)))).isEqualTo(event);
  }

  @Test
  void readsWhatANewerVersionWroteWithMoreProperties() {
    assertThat(codec.decode(recorded("deposited-2", Payload.ofUtf8("{\"cents\":1,\"new\":[1]}"))))
        .isEqualTo(new DepositedTwice(1));
  }

  @Test
  void refusesAMissingNumberInsteadOfReadingItAsZero() {
    assertThatThrownBy(() -> codec.decode(recorded("deposited-2", Payload.ofUtf8("{}"))))
        .isInstanceOf(SerializationException.class)
        .hasMessageContaining("account-42, version 7")
        .hasMessageContaining("DepositedTwice");
  }

  @Test
  void liftsFormerEventsStepByStep() {
    EventCodec lifting =
        codec
            .withUpcaster(DepositedOnce.class, once -> new DepositedTwice(once.francs() * 100))
            .withUpcaster(
                DepositedTwice.class,
                twice -> new DepositedNow(twice.cents(), Currency.getInstance("CHF")));
    assertThat(lifting.decode(recorded("deposited-1", Payload.ofUtf8("{\"francs\":42}"))))
        .isEqualTo(new DepositedNow(4200, Currency.getInstance("CHF")));
  }

  @Test
  void refusesUpcastersThatLeadBackToWhereTheyBegan() {
    EventCodec circle = codec.withUpcaster(DepositedOnce.class, once -> once);
    assertThatThrownBy(
            () -> circle.decode(recorded("deposited-1", Payload.ofUtf8("{\"francs\":42}"))))
        .hasMessageContaining("DepositedOnce")
        .hasMessageContaining("back");
  }

  @Test
  @SuppressWarnings("NullAway") // A bug of the service's.
  void saysThatAnUpcasterHasABugInsteadOfFailingLater() {
    RecordedEvent stored = recorded("deposited-1", Payload.ofUtf8("{\"francs\":42}"));
    EventCodec silent = codec.withUpcaster(DepositedOnce.class, once -> null);
    assertThatThrownBy(() -> silent.decode(stored))
        .isInstanceOf(SerializationException.class)
        .hasMessageContaining("account-42, version 7")
        .hasMessageContaining("upcaster of " + DepositedOnce.class.getName() + " has returned null")
        .hasMessageContaining("a bug in it");
    EventCodec failing =
        codec.withUpcaster(
            DepositedOnce.class,
            once -> {
              throw new ArithmeticException("secret");
            });
    assertThatThrownBy(() -> failing.decode(stored))
        .isInstanceOf(SerializationException.class)
        .hasMessageContaining("account-42, version 7")
        .hasMessageContaining("upcaster of " + DepositedOnce.class.getName() + " has thrown")
        .hasMessageNotContaining("secret")
        .hasCauseInstanceOf(ArithmeticException.class);
  }

  @Test
  void namesAStoredTypeThatNobodyKnowsAndWhereItIs() {
    assertThatThrownBy(() -> codec.decode(recorded("withdrawn", Payload.ofUtf8("{}"))))
        .isInstanceOf(UnregisteredTypeException.class)
        .hasMessageContaining("'withdrawn'")
        .hasMessageContaining("account-42, version 7")
        .hasMessageContaining("register");
  }

  @Test
  void namesTheClassThatCannotBeSerialised() {
    assertThatThrownBy(() -> codec.encode(new Unwritable(new Unwritable.Part())))
        .isInstanceOf(SerializationException.class)
        .hasMessageContaining("Unwritable");
  }

  @Test
  void keepsPrivateDataOutOfTheMessageAboutUnreadableData() {
    assertThatThrownBy(
            () -> codec.decode(recorded("deposited-2", Payload.ofUtf8("{\"cents\":\"secret\"}"))))
        .isInstanceOf(SerializationException.class)
        .hasMessageContaining("cents")
        .hasMessageNotContaining("secret");
  }

  @Test
  void refusesTheNullValueOfJson() {
    assertThatThrownBy(() -> codec.decode(recorded("deposited-2", Payload.ofUtf8("null"))))
        .isInstanceOf(SerializationException.class);
  }

  @Test
  void givesBackMetadata() {
    Metadata metadata = new Metadata(Map.of("user", "Z\u00fcrcher", "empty", ""));
    assertThat(codec.decodeMetadata(withMetadata(codec.encode(metadata)))).isEqualTo(metadata);
    assertThat(codec.encode(Metadata.EMPTY)).isEqualTo(Payload.EMPTY);
    assertThat(codec.decodeMetadata(withMetadata(Payload.EMPTY))).isEqualTo(Metadata.EMPTY);
  }

  private static RecordedEvent recorded(String type, Payload data) {
    return new RecordedEvent(
        EventIds.next(),
        StreamId.of("account", "42"),
        7,
        new Position(9),
        type,
        Instant.EPOCH,
        data,
        Payload.EMPTY);
  }

  private static RecordedEvent withMetadata(Payload metadata) {
    return new RecordedEvent(
        EventIds.next(),
        StreamId.of("account", "42"),
        7,
        new Position(9),
        "deposited",
        Instant.EPOCH,
        Payload.EMPTY,
        metadata);
  }
}
