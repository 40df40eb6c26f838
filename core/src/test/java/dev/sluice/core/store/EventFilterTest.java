package dev.sluice.core.store;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class EventFilterTest {

  @Test
  void refusesACategoryThatNoStreamCanHave() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EventFilter.categories("account", "my-payment"))
        .withMessageContaining("'my-payment' is not a stream category");
  }
}
