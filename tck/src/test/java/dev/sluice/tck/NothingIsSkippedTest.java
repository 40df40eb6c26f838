package dev.sluice.tck;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** No suite has a way to skip a test: the compiled classes refer to none of JUnit's. */
class NothingIsSkippedTest {

  @Test
  void noCompiledSuiteRefersToAssumptionsOrToDisabledTests() throws Exception {
    List<Path> classes = classes(StorageContract.class);
    assertThat(classes)
        .extracting(path -> path.getFileName().toString())
        .contains("EventStoreContract.class", "MessagePublisherContract.class");
    for (Path path : classes) {
      assertThat(Files.readString(path, StandardCharsets.ISO_8859_1))
          .as(path.getFileName().toString())
          .doesNotContain("org/junit/jupiter/api/Assumptions")
          .doesNotContain("TestAbortedException")
          .doesNotContain("org/junit/jupiter/api/Disabled")
          .doesNotContain("org/junit/jupiter/api/condition/");
    }
  }

  private static List<Path> classes(Class<?> one) throws IOException, URISyntaxException {
    Path root = Path.of(one.getProtectionDomain().getCodeSource().getLocation().toURI());
    try (Stream<Path> all = Files.walk(root)) {
      return all.filter(
              path ->
                  path.toString().endsWith("Contract.class")
                      || path.toString().contains("Suite.class"))
          .toList();
    }
  }
}
