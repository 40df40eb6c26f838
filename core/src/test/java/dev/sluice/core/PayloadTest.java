package dev.sluice.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class PayloadTest {

  @Test
  void isUntouchedByWhatTheCallerDoesToItsBytes() {
    byte[] given = {1, 2, 3};
    Payload payload = Payload.of(given);
    given[0] = 9;
    payload.toBytes()[1] = 9;
    assertThat(payload.toBytes()).containsExactly(1, 2, 3);
  }

  @Test
  void isEqualByContent() throws IOException {
    Payload payload = Payload.ofUtf8("gr\u00fcezi \uD83D\uDE00");
    assertThat(payload).isEqualTo(Payload.of(payload.toBytes())).hasSameHashCodeAs(payload);
    assertThat(payload).isNotEqualTo(Payload.ofUtf8("gruezi"));
    assertThat(payload.toUtf8()).isEqualTo("gr\u00fcezi \uD83D\uDE00");
    assertThat(payload.openStream().readAllBytes()).isEqualTo(payload.toBytes());
  }

  @Test
  void saysItsSizeAndNotItsContent() {
    assertThat(Payload.ofUtf8("secret")).hasToString("Payload[6 bytes]");
    assertThat(Payload.EMPTY.isEmpty()).isTrue();
  }
}
