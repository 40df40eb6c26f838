package dev.sluice.core.projection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.sluice.core.EventTypes;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProjectionTest {

  interface Moved extends DomainEvent {}

  record MovedOnce(long francs) implements Moved {}

  record MovedNow(long cents) implements Moved {}

  record Closed() implements DomainEvent {}

  record Unregistered() implements DomainEvent {}

  private static final EventCodec CODEC =
      EventCodec.of(
              EventTypes.<DomainEvent>builder()
                  .add("moved-1", MovedOnce.class)
                  .add("moved-2", MovedNow.class)
                  .add("closed", Closed.class)
                  .build(),
              JacksonSerializer.create())
          .withUpcaster(MovedOnce.class, once -> new MovedNow(once.francs() * 100));

  @Test
  void looksAtTheEventsThatItHandlesAndAtThoseThatMayBecomeOne() {
    assertThat(on(Moved.class).build().filter().types()).containsExactly("moved-1", "moved-2");
    assertThat(on(Closed.class).build().filter().types()).containsExactly("closed", "moved-1");
    assertThat(on(DomainEvent.class).build().filter().types()).hasSize(3);
  }

  @Test
  void refusesAHandlerOfAnUnregisteredClassAlsoBesideOthers() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> on(Closed.class).on(Unregistered.class, (view, event, recorded) -> {}).build())
        .withMessageContaining("'view'")
        .withMessageContaining(Unregistered.class.getName())
        .withMessageContaining("register");
  }

  @Test
  void refusesAHandlerOfAClassThatAnUpcasterTurnsIntoAnother() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> on(MovedOnce.class).build())
        .withMessageContaining(MovedOnce.class.getName())
        .withMessageContaining("upcaster");
  }

  @Test
  void refusesToHandleNothingAlsoIfThereAreUpcasters() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Projection.<List<String>>named("view", CODEC).build())
        .withMessageContaining("on(…)");
  }

  @Test
  void refusesACategoryThatNoStreamCanHave() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> on(Closed.class).category("my-payment"))
        .withMessageContaining("'my-payment' is not a stream category");
  }

  private static Projection.Builder<List<String>> on(Class<? extends DomainEvent> type) {
    return Projection.<List<String>>named("view", CODEC).on(type, (view, event, recorded) -> {});
  }
}
