package dev.sluice.core.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StreamIdTest {

  @ParameterizedTest
  @ValueSource(
      strings = {"42", "a-b", "-", "_%", "gr\u00fcezi", "\uD83D\uDE00", "with space", "'\""})
  void comesBackFromItsText(String id) {
    StreamId stream = StreamId.of("account", id);
    assertThat(StreamId.parse(stream.toString())).isEqualTo(stream);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1a", "a-b", "a b", "\u00fc", "a/b"})
  void refusesACategoryThatWouldBeAmbiguous(String category) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StreamId.of(category, "42"))
        .withMessageContaining("'" + category + "'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a\u0000b", "line\nbreak", "\uD83D", "a\uDE00"})
  void refusesAnIdThatIsNoPrintableText(String id) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StreamId.of("account", id))
        .withMessageContaining("'account'");
  }

  @Test
  void takesAnIdOfTheGreatestLengthAndRefusesOneMore() {
    assertThat(StreamId.of("account", "x".repeat(255)).id()).hasSize(255);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StreamId.of("account", "x".repeat(256)))
        .withMessageContaining("256 chars")
        .withMessageContaining("at most 255");
  }

  @Test
  void refusesTextWithoutCategory() {
    assertThatIllegalArgumentException().isThrownBy(() -> StreamId.parse("account"));
  }
}
