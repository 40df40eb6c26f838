package dev.sluice.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.event.DomainEvent;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EventTypesTest {

  sealed interface Shape extends DomainEvent {
    @EventType("circle-drawn")
    record Circle(int radius) implements Shape {}

    sealed interface Polygon extends Shape {
      @EventType("square-drawn")
      record Square(int side) implements Polygon {}
    }
  }

  sealed interface Forgetful extends DomainEvent {
    record Unnamed() implements Forgetful {}
  }

  record Other() implements DomainEvent {}

  @Test
  void namesTheClassesOfASealedInterfaceByTheirAnnotations() {
    EventTypes<DomainEvent> types = EventTypes.of(Shape.class);
    assertThat(types.names()).containsExactly("circle-drawn", "square-drawn");
    assertThat(types.nameOf(Shape.Circle.class)).isEqualTo("circle-drawn");
    assertThat(types.classOf("square-drawn")).contains(Shape.Polygon.Square.class);
    assertThat(types.classOf("triangle-drawn")).isEmpty();
  }

  @Test
  void refusesAClassWithoutAnnotation() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EventTypes.of(Forgetful.class))
        .withMessageContaining("Unnamed")
        .withMessageContaining("@EventType");
  }

  interface Open extends DomainEvent {}

  sealed interface Opening extends DomainEvent {
    non-sealed interface Rest extends Opening {}
  }

  @EventType("base")
  abstract static class Base implements DomainEvent {}

  @ParameterizedTest
  @ValueSource(classes = {Open.class, Opening.class, Base.class})
  void saysThatWhatIsNotSealedDoesNotTellItsClasses(Class<? extends DomainEvent> root) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EventTypes.of(root))
        .withMessageContaining("is not sealed")
        .withMessageContaining("add its classes");
  }

  @Test
  void refusesANameThatIsTaken() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                EventTypes.<DomainEvent>builder()
                    .addAll(Shape.class)
                    .add("circle-drawn", Other.class))
        .withMessageContaining("circle-drawn")
        .withMessageContaining("Circle")
        .withMessageContaining("Other");
  }

  @Test
  void refusesASecondNameForAClass() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EventTypes.builder().add("one", Other.class).add("two", Other.class))
        .withMessageContaining("one");
  }

  @Test
  void readsAFormerNameAndWritesTheNewOne() {
    EventTypes<DomainEvent> types =
        EventTypes.<DomainEvent>builder()
            .addAll(Shape.class)
            .alias("round-thing-drawn", Shape.Circle.class)
            .build();
    assertThat(types.classOf("round-thing-drawn")).contains(Shape.Circle.class);
    assertThat(types.nameOf(Shape.Circle.class)).isEqualTo("circle-drawn");
  }

  @Test
  void joinsRegistriesWithTheirAliases() {
    EventTypes<DomainEvent> shapes =
        EventTypes.<DomainEvent>builder()
            .addAll(Shape.class)
            .alias("round-thing-drawn", Shape.Circle.class)
            .build();
    EventTypes<DomainEvent> all =
        EventTypes.<DomainEvent>builder().add("other", Other.class).addAll(shapes).build();
    assertThat(all.names())
        .containsExactly("other", "circle-drawn", "square-drawn", "round-thing-drawn");
  }

  @Test
  void saysWhatToDoWithAClassThatNobodyRegistered() {
    EventTypes<DomainEvent> types = EventTypes.of(Shape.class);
    assertThatThrownBy(() -> types.nameOf(Other.class))
        .isInstanceOf(UnregisteredTypeException.class)
        .hasMessageContaining("Other")
        .hasMessageContaining("EventTypes");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1st", "with space", "a/b", "\u00fcber"})
  void refusesNamesThatSomeStoreOrBrokerCouldNotHold(String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EventTypes.builder().add(name, Other.class));
  }
}
