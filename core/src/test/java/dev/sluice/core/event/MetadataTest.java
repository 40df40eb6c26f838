package dev.sluice.core.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MetadataTest {

  @Test
  void tellsAbsentFromEmpty() {
    Metadata metadata = Metadata.EMPTY.with("note", "");
    assertThat(metadata.get("note")).contains("");
    assertThat(metadata.get("other")).isEmpty();
  }

  @Test
  void isUntouchedByWhatTheCallerDoesToItsMap() {
    Map<String, String> given = new HashMap<>(Map.of("a", "1"));
    Metadata metadata = new Metadata(given);
    given.put("a", "2");
    assertThat(metadata.get("a")).contains("1");
  }

  @Test
  void carriesCorrelationAndCausation() {
    Metadata metadata = Metadata.EMPTY.withCorrelationId("c").withCausationId("d");
    assertThat(metadata.correlationId()).contains("c");
    assertThat(metadata.causationId()).contains("d");
    assertThat(Metadata.EMPTY.correlationId()).isEmpty();
  }
}
