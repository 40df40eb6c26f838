package dev.sluice.core.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class ExpectedVersionTest {

  @Test
  void saysWhichVersionsItIsMetBy() {
    assertThat(ExpectedVersion.exactly(2).isMetBy(2)).isTrue();
    assertThat(ExpectedVersion.exactly(2).isMetBy(1)).isFalse();
    assertThat(ExpectedVersion.exactly(2).isMetBy(3)).isFalse();
    assertThat(ExpectedVersion.noStream().isMetBy(0)).isTrue();
    assertThat(ExpectedVersion.noStream().isMetBy(1)).isFalse();
    assertThat(ExpectedVersion.streamExists().isMetBy(0)).isFalse();
    assertThat(ExpectedVersion.streamExists().isMetBy(1)).isTrue();
    assertThat(ExpectedVersion.any().isMetBy(0)).isTrue();
    assertThat(ExpectedVersion.any().isMetBy(9)).isTrue();
  }

  @Test
  void refusesANegativeVersion() {
    assertThatIllegalArgumentException().isThrownBy(() -> ExpectedVersion.exactly(-1));
  }
}
