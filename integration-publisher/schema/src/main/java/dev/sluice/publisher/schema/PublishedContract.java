package dev.sluice.publisher.schema;

import dev.sluice.core.EventTypes;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.publisher.kafka.PublishedLanguage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import tools.jackson.core.util.DefaultIndenter;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a bounded context publishes, as files: a JSON Schema for each integration event, and an
 * AsyncAPI document that says what goes through which topic. Call {@link #check} in a test, with
 * the directory in the repository where they are kept.
 *
 * <p>Consumers must be able to go on reading. So a property or a type that is gone, another type or
 * format, a value that may be missing or null now, a further value of an enum, and another topic
 * break the contract; a new property and a new type of event don't.
 *
 * <p>Immutable; safe for use by any number of threads.
 */
public final class PublishedContract {

  /**
   * The system property that changes the files: {@value #REFRESH} after a compatible change,
   * {@value #ACCEPT} after any.
   */
  public static final String PROPERTY = "sluice.contract";

  static final String REFRESH = "refresh";
  static final String ACCEPT = "accept";
  static final String SUFFIX = ".schema.json";
  static final String ASYNC_API = "asyncapi.json";

  private static final JsonMapper FILES = JsonMapper.builder().build();

  private final String title;
  private final Map<String, JsonNode> files = new TreeMap<>();

  private PublishedContract(String title) {
    this.title = title;
  }

  /**
   * Derives the contract.
   *
   * @param title names the bounded context, for people
   * @param version of the AsyncAPI document
   * @param mapper the one that writes the events: it is asked how
   * @throws IllegalArgumentException if the registry and the language don't name the same types, or
   *     an event can't be described
   */
  public static PublishedContract of(
      String title,
      String version,
      EventTypes<? extends IntegrationEvent> types,
      PublishedLanguage language,
      JsonMapper mapper) {
    checkSameTypes(types, language);
    PublishedContract contract = new PublishedContract(title);
    SchemaGenerator generator = new SchemaGenerator(mapper);
    types
        .namesByClass()
        .forEach(
            (eventClass, type) ->
                contract.files.put(
                    type + SUFFIX,
                    generator.schema(type, eventClass, language.dataSchemaOf(type))));
    contract.files.put(ASYNC_API, AsyncApi.document(title, version, language));
    return contract;
  }

  private static void checkSameTypes(
      EventTypes<? extends IntegrationEvent> types, PublishedLanguage language) {
    Set<String> registered = new TreeSet<>(types.namesByClass().values());
    Set<String> withoutTopic = new TreeSet<>(registered);
    withoutTopic.removeAll(language.types());
    Set<String> withoutClass = new TreeSet<>(language.types());
    withoutClass.removeAll(registered);
    if (!withoutTopic.isEmpty() || !withoutClass.isEmpty()) {
      throw new IllegalArgumentException(
          "the registry of integration events and the PublishedLanguage differ: "
              + withoutTopic
              + " have no topic, "
              + withoutClass
              + " have no registered class; name the same types in both");
    }
  }

  /** The files' texts by their names. */
  public Map<String, String> files() {
    Map<String, String> texts = new TreeMap<>();
    files.forEach((name, content) -> texts.put(name, text(content)));
    return texts;
  }

  /**
   * Compares with the files that were kept. After a compatible change it prints how to refresh
   * them.
   *
   * @param directory the files that are kept with the sources
   * @throws AssertionError if consumers can no longer rely on what the files say, or there are no
   *     files; with what broke, and what to do
   */
  public void check(Path directory) {
    String mode = System.getProperty(PROPERTY, "").toLowerCase(Locale.ROOT);
    Map<String, JsonNode> kept = read(directory);
    List<String> breaks = kept.isEmpty() ? List.of() : Compatibility.breaks(kept, files);
    if (mode.equals(ACCEPT) || (mode.equals(REFRESH) && breaks.isEmpty())) {
      write(directory, kept.keySet());
    } else if (kept.isEmpty()) {
      throw new AssertionError(
          directory
              + " holds no contract yet: run this test once with -D"
              + PROPERTY
              + "="
              + ACCEPT
              + ", look at the files, and commit them");
    } else if (!breaks.isEmpty()) {
      throw new AssertionError(
          "what '"
              + title
              + "' publishes would break its consumers:\n- "
              + String.join("\n- ", breaks)
              + "\nTake it back, or publish a new type of event beside the old one. If all"
              + " consumers are ready for it, run this test with -D"
              + PROPERTY
              + "="
              + ACCEPT
              + " and commit "
              + directory);
    } else if (!kept.equals(files)) {
      System.out.println(
          "What '"
              + title
              + "' publishes has changed, and consumers can go on reading. So that what is new is"
              + " guarded too, run this test with -D"
              + PROPERTY
              + "="
              + REFRESH
              + " and commit "
              + directory);
    }
  }

  private static Map<String, JsonNode> read(Path directory) {
    Map<String, JsonNode> found = new TreeMap<>();
    if (!Files.isDirectory(directory)) {
      return found;
    }
    try (Stream<Path> entries = Files.list(directory)) {
      for (Path file : entries.toList()) {
        String name = Objects.requireNonNull(file.getFileName(), "name").toString();
        if (name.endsWith(SUFFIX) || name.equals(ASYNC_API)) {
          found.put(name, FILES.readTree(Files.readString(file)));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("can't read the contract in " + directory, e);
    }
    return found;
  }

  private void write(Path directory, Set<String> former) {
    try {
      Files.createDirectories(directory);
      for (String name : new ArrayList<>(former)) {
        if (!files.containsKey(name)) {
          Files.delete(directory.resolve(name));
        }
      }
      for (Map.Entry<String, String> file : files().entrySet()) {
        Files.writeString(directory.resolve(file.getKey()), file.getValue());
      }
    } catch (IOException e) {
      throw new UncheckedIOException("can't write the contract to " + directory, e);
    }
  }

  static ObjectNode object() {
    return FILES.createObjectNode();
  }

  private static String text(JsonNode content) {
    DefaultIndenter lines = new DefaultIndenter("  ", "\n");
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter().withObjectIndenter(lines).withArrayIndenter(lines);
    return FILES.writer().with(printer).writeValueAsString(content) + "\n";
  }
}
