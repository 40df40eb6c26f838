package dev.sluice.examples.readme;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.testservers.KafkaServer;
import dev.sluice.testservers.PostgresServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the README shows is what compiles and runs. */
@Timeout(120)
class ReadmeTest {

  private static final Path ROOT = Path.of(System.getProperty("basedir", "."), "../..");

  @Test
  void its_code_is_the_code_that_is_compiled() throws IOException {
    String source =
        Files.readString(
            ROOT.resolve(
                "examples/bank/src/test/java/dev/sluice/examples/readme/ReadmeExample.java"));
    List<String> compiled =
        all(source, "(?s) *// README: \\w+ *\\n(.*?)\\n *// README: end").stream()
            .map(ReadmeTest::normalised)
            .toList();
    assertThat(blocks("java")).hasSizeGreaterThan(3).isEqualTo(compiled);
  }

  @Test
  void its_output_is_what_is_printed() throws IOException {
    String shown = blocks("text").getFirst();
    assertThat(printed(ReadmeExample::inMemory)).isEqualTo(shown);
    assertThat(
            printed(
                out ->
                    ReadmeExample.onPostgres(
                        PostgresServer.shared().newDatabase().dataSource(), out)))
        .isEqualTo(shown);
  }

  @Test
  void its_integration_event_arrives_in_kafka() throws IOException {
    String bootstrap = KafkaServer.shared().bootstrap();
    List<String> values = new ArrayList<>();
    try (InMemoryStorage storage = InMemoryStorage.create()) {
      ReadmeExample.toKafka(storage, bootstrap, () -> receives(bootstrap, values));
    }
    assertThat(values).containsExactly(blocks("json").getFirst());
  }

  private static boolean receives(String bootstrap, List<String> values) {
    try (KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(
            Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed"),
            new StringDeserializer(),
            new StringDeserializer())) {
      List<TopicPartition> partitions =
          List.of(0, 1, 2).stream().map(number -> new TopicPartition("accounts", number)).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while (values.isEmpty() && System.nanoTime() < end) {
        for (var record : consumer.poll(Duration.ofMillis(200))) {
          values.add(record.value());
        }
      }
    }
    return !values.isEmpty();
  }

  private static String printed(Consumer<PrintStream> program) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    program.accept(new PrintStream(bytes, true, UTF_8));
    return normalised(bytes.toString(UTF_8));
  }

  /** The blocks of one language in the README, in order. */
  private static List<String> blocks(String language) throws IOException {
    return all(Files.readString(ROOT.resolve("README.md")), "(?s)```" + language + "\\n(.*?)\\n```")
        .stream()
        .map(ReadmeTest::normalised)
        .toList();
  }

  private static List<String> all(String text, String pattern) {
    List<String> found = new ArrayList<>();
    Matcher matcher = Pattern.compile(pattern).matcher(text);
    while (matcher.find()) {
      found.add(matcher.group(1));
    }
    return found;
  }

  private static String normalised(String block) {
    return block.stripTrailing().stripIndent().strip();
  }
}
