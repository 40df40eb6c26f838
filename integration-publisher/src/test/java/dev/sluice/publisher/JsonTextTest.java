package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.event.EventIds;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

class JsonTextTest {
  private static final JsonMapper JACKSON =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        " [ ] ",
        "{\"a\": [1, -2.5e+3, 0, true, false, null, {\"b\":\"\"}],\n\t\"c\" : \"\\u00e9\\n\\\"ä😀\"}",
        "\"text\"",
        "-0.0",
        "7"
      })
  void jsonIsTaken(String text) {
    assertThatCode(() -> JACKSON.readTree(text)).doesNotThrowAnyException();
    assertThatCode(() -> JsonText.check(text)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        " ",
        "{\"amount\": 7",
        "{\"amount\": 7}}",
        "{\"amount\": 7,}",
        "{amount: 7}",
        "{\"a\" 1}",
        "[1 2]",
        "[1,]",
        "[,1]",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "NaN",
        "tru",
        "True",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "{\"a\":1} x",
        "7 8"
      })
  void whatIsNoJsonIsRefused(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> JsonText.check(text))
        .withMessageContaining("no JSON");
    if (!text.isBlank()) {
      assertThatCode(() -> JACKSON.readTree(text)).isInstanceOf(JacksonException.class);
    }
  }

  @Test
  void largeAndDeepTextsAreNoTrouble() {
    JsonText.check("\"" + "x\\n".repeat(30_000) + "\"");
    JsonText.check("[" + "1,".repeat(30_000) + "1]");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> JsonText.check("[".repeat(64 * 1024)))
        .withMessageContaining("500 levels");
  }

  @Test
  void noDecisionIsKeptThatWouldPublishWhatIsNoJson() {
    InMemoryStorage storage = InMemoryStorage.create();
    RelayControl control =
        new RelayControl("r", storage.outbox(), storage.checkpoints(), storage.leases());
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> control.replace(EventIds.next(), "t", "{\"amount\": 7", "ada", "no brace"))
        .withMessageContainingAll("replacement", "at its end");
    assertThat(control.decisions()).isEmpty();
  }
}
