package dev.sluice.core.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.NotStorableException;
import org.junit.jupiter.api.Test;

class StorageTest {

  @Test
  void checkedTextIsAnyUnicodeText() {
    for (String text : new String[] {"", "Grüezi, 日本, 😀", "\u0001\uFFFF"}) {
      assertThat(Storage.checkedText(() -> "it", text)).isEqualTo(text);
    }
  }

  @Test
  void checkedTextHasNoNulAndNoHalfSurrogatePair() {
    assertRefused("ope\0ned", "the type has a NUL character at index 3");
    assertRefused("\uD800", "the type has half a surrogate pair at index 0");
    assertRefused("\uD800a", "the type has half a surrogate pair at index 0");
    assertRefused("😀\uDE00", "the type has half a surrogate pair at index 2");
  }

  private static void assertRefused(String text, String message) {
    assertThatThrownBy(() -> Storage.checkedText(() -> "the type", text))
        .isInstanceOf(NotStorableException.class)
        .hasMessageContaining(message);
  }
}
