package dev.sluice.examples.bank.demo;

import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.examples.bank.published.BankLanguage;
import dev.sluice.publisher.schema.PublishedContract;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What the bank has promised to others is in {@code src/test/published}. */
class BankContractTest {

  @Test
  void consumersCanGoOnReading() {
    PublishedContract.of(
            "Bank",
            "1.0",
            BankLanguage.TYPES,
            Servers.language(),
            JacksonSerializer.create().mapper())
        .check(Path.of("src/test/published"));
  }
}
