package dev.sluice.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PositionTest {

  @Test
  void comesBackFromItsText() {
    Position position = new Position(Long.MAX_VALUE);
    assertThat(Position.parse(position.toString())).isEqualTo(position);
    assertThat(Position.parse(Position.START.toString())).isEqualTo(Position.START);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "7", "p1-", "p1-x", "p1--1", "p2-7", "p1-99999999999999999999"})
  void refusesTextThatIsNoPosition(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> Position.parse(text));
  }

  @Test
  void isOrderedByItsValue() {
    Position earlier = new Position(9);
    Position later = new Position(10);
    assertThat(earlier).isLessThan(later);
    assertThat(later.isAfter(earlier)).isTrue();
    assertThat(later.isAfter(later)).isFalse();
    assertThat(Position.max(earlier, later)).isEqualTo(later);
    assertThat(Position.max(later, earlier)).isEqualTo(later);
  }
}
