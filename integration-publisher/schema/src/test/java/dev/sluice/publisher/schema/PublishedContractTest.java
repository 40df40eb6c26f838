package dev.sluice.publisher.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.sluice.core.EventTypes;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.publisher.kafka.PublishedLanguage;
import java.math.BigDecimal;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class PublishedContractTest {
  private static final String TYPE = "bank.paid";

  enum Kind {
    CASH,
    CARD
  }

  enum WiderKind {
    CASH,
    CARD,
    CRYPTO
  }

  enum NarrowerKind {
    CASH
  }

  record Payer(String name, List<String> tags) {}

  record Paid(
      String account,
      long cents,
      Kind kind,
      Payer payer,
      Optional<String> note,
      @Nullable String reference,
      Instant at)
      implements IntegrationEvent {}

  record Base(long cents, Kind kind, Payer payer, Optional<String> note)
      implements IntegrationEvent {}

  record More(long cents, Kind kind, Payer payer, Optional<String> note, String currency)
      implements IntegrationEvent {}

  record MoreOptional(
      long cents, Kind kind, Payer payer, Optional<String> note, @Nullable String currency)
      implements IntegrationEvent {}

  record AlwaysANote(long cents, Kind kind, Payer payer, String note) implements IntegrationEvent {}

  record Fewer(long cents, NarrowerKind kind, Payer payer, Optional<String> note)
      implements IntegrationEvent {}

  record Gone(Kind kind, Payer payer, Optional<String> note) implements IntegrationEvent {}

  record Renamed(@JsonProperty("amount") long cents, Kind kind, Payer payer, Optional<String> note)
      implements IntegrationEvent {}

  record Text(String cents, Kind kind, Payer payer, Optional<String> note)
      implements IntegrationEvent {}

  record Fraction(BigDecimal cents, Kind kind, Payer payer, Optional<String> note)
      implements IntegrationEvent {}

  record Sometimes(@Nullable Long cents, Kind kind, Payer payer, Optional<String> note)
      implements IntegrationEvent {}

  record Wider(long cents, WiderKind kind, Payer payer, Optional<String> note)
      implements IntegrationEvent {}

  record OtherPayer(String name, List<Integer> tags) {}

  record Deep(long cents, Kind kind, OtherPayer payer, Optional<String> note)
      implements IntegrationEvent {}

  record Tree(List<Tree> children) implements IntegrationEvent {}

  record Else(UUID id, Map<String, Integer> counts) implements IntegrationEvent {}

  record Parts(
      List<String> tags, Map<String, String> names, LocalDate day, Map<Kind, Integer> kinds)
      implements IntegrationEvent {}

  record Unless(
      @JsonInclude(JsonInclude.Include.NON_EMPTY) List<String> tags,
      Map<String, String> names,
      @JsonInclude(JsonInclude.Include.NON_NULL) LocalDate day,
      Map<Kind, Integer> kinds)
      implements IntegrationEvent {}

  record NullInside(
      List<@Nullable String> tags,
      Map<String, @Nullable String> names,
      LocalDate day,
      Map<Kind, Integer> kinds)
      implements IntegrationEvent {}

  record OtherDay(
      List<String> tags,
      Map<String, String> names,
      @JsonFormat(pattern = "dd.MM.yyyy") LocalDate day,
      Map<Kind, Integer> kinds)
      implements IntegrationEvent {}

  record OtherKeys(
      List<String> tags, Map<String, String> names, LocalDate day, Map<WiderKind, Integer> kinds)
      implements IntegrationEvent {}

  record AnyKeys(
      List<String> tags, Map<String, String> names, LocalDate day, Map<String, Integer> kinds)
      implements IntegrationEvent {}

  record Deeper(Optional<List<@Nullable Kind>> kinds, List<List<@Nullable Integer>> table)
      implements IntegrationEvent {}

  @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
  sealed interface Payment {}

  record Card(String number) implements Payment {}

  record Several(Payment payment) implements IntegrationEvent {}

  interface Money {}

  record Open(List<Money> money) implements IntegrationEvent {}

  record Marked(@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind") Payer payer)
      implements IntegrationEvent {}

  @TempDir Path directory;

  @BeforeEach
  @AfterEach
  void nobodyAccepts() {
    System.clearProperty(PublishedContract.PROPERTY);
  }

  private static PublishedContract contract(Class<? extends IntegrationEvent> event) {
    return contract(event, PublishedLanguage.builder().topic("bank", 3, TYPE).build());
  }

  private static PublishedContract contract(
      Class<? extends IntegrationEvent> event, PublishedLanguage language) {
    return contract(EventTypes.<IntegrationEvent>builder().add(TYPE, event).build(), language);
  }

  private static PublishedContract contract(
      EventTypes<IntegrationEvent> types, PublishedLanguage language) {
    return PublishedContract.of(
        "Bank", "1.0", types, language, JacksonSerializer.create().mapper());
  }

  private static void with(String mode, Runnable work) {
    System.setProperty(PublishedContract.PROPERTY, mode);
    try {
      work.run();
    } finally {
      System.clearProperty(PublishedContract.PROPERTY);
    }
  }

  private void accept(PublishedContract contract) {
    with("accept", () -> contract.check(directory));
  }

  @Test
  void describesWhatTheMapperWrites() {
    JsonNode schema = json(contract(Paid.class), TYPE + ".schema.json");
    assertThat(schema.at("/properties/cents/type").asString()).isEqualTo("integer");
    assertThat(schema.at("/properties/at").toString())
        .isEqualTo("{\"type\":\"string\",\"format\":\"date-time\"}");
    assertThat(schema.at("/properties/kind/enum").toString()).isEqualTo("[\"CASH\",\"CARD\"]");
    assertThat(schema.at("/properties/payer/properties/tags/items/type").asString())
        .isEqualTo("string");
    assertThat(schema.at("/properties/note/type").toString()).isEqualTo("[\"string\",\"null\"]");
    assertThat(schema.at("/properties/reference/type").toString())
        .isEqualTo("[\"string\",\"null\"]");
    assertThat(schema.at("/required").toString())
        .contains("account", "cents", "kind", "payer", "at")
        .doesNotContain("note", "reference");
    // The event itself is what the schema says.
    JsonNode written =
        JsonMapper.shared()
            .readTree(
                JacksonSerializer.create()
                    .write(
                        new Paid(
                            "a",
                            1,
                            Kind.CASH,
                            new Payer("b", List.of()),
                            Optional.empty(),
                            null,
                            Instant.EPOCH))
                    .toUtf8());
    assertThat(written.propertyNames())
        .containsExactlyInAnyOrderElementsOf(schema.at("/properties").propertyNames());
  }

  @Test
  void anAsyncApiDocumentNamesTopicsMessagesAndSchemas() {
    PublishedLanguage language =
        PublishedLanguage.builder()
            .topic("bank", 3, TYPE)
            .dataSchemas(URI.create("https://schemas.example.com/bank"))
            .build();
    JsonNode document = json(contract(Paid.class, language), "asyncapi.json");
    assertThat(document.path("asyncapi").asString()).isEqualTo("3.0.0");
    assertThat(document.at("/channels/bank/bindings/kafka/partitions").asInt()).isEqualTo(3);
    assertThat(document.at("/components/messages/" + TYPE + "/payload/$ref").asString())
        .isEqualTo("./" + TYPE + ".schema.json");
    assertThat(json(contract(Paid.class, language), TYPE + ".schema.json").path("$id").asString())
        .isEqualTo("https://schemas.example.com/bank/bank.paid.schema.json")
        .isEqualTo(language.dataSchemaOf(TYPE).orElseThrow().toString());
  }

  private static JsonNode json(PublishedContract contract, String file) {
    return JsonMapper.shared().readTree(contract.files().get(file));
  }

  @Test
  void withoutFilesItSaysHowToMakeThem() {
    assertThatThrownBy(() -> contract(Base.class).check(directory))
        .isInstanceOf(AssertionError.class)
        .hasMessageContainingAll(directory.toString(), "-Dsluice.contract=accept");
    accept(contract(Base.class));
    contract(Base.class).check(directory);
    assertThat(directory).isDirectoryContaining("glob:**/bank.paid.schema.json");
  }

  @ParameterizedTest
  @ValueSource(
      classes = {Base.class, More.class, MoreOptional.class, AlwaysANote.class, Fewer.class})
  void aCompatibleChangePasses(Class<? extends IntegrationEvent> now) throws Exception {
    accept(contract(Base.class));
    String before = Files.readString(directory.resolve(TYPE + ".schema.json"));
    assertThatCode(() -> contract(now).check(directory)).doesNotThrowAnyException();
    assertThat(directory.resolve(TYPE + ".schema.json")).content().isEqualTo(before);
    with("refresh", () -> contract(now).check(directory));
    assertThat(directory.resolve(TYPE + ".schema.json"))
        .content()
        .isEqualTo(contract(now).files().get(TYPE + ".schema.json"));
  }

  @ParameterizedTest
  @CsvSource({
    "Gone, bank.paid.cents is gone",
    "Renamed, bank.paid.cents is gone",
    "Text, bank.paid.cents was integer and is string",
    "Fraction, bank.paid.cents was integer and is number",
    "Sometimes, bank.paid.cents was integer and is integer or null",
    "Wider, CRYPTO",
    "Deep, bank.paid.payer.tags[] was string and is integer"
  })
  void anIncompatibleChangeFails(String now, String says) throws Exception {
    accept(contract(Base.class));
    Class<? extends IntegrationEvent> event =
        Class.forName(getClass().getName() + "$" + now).asSubclass(IntegrationEvent.class);
    assertThatThrownBy(() -> contract(event).check(directory))
        .isInstanceOf(AssertionError.class)
        .hasMessageContainingAll(says, "-Dsluice.contract=accept", directory.toString());
    // What isn't compatible isn't refreshed, only accepted.
    assertThatThrownBy(() -> with("refresh", () -> contract(event).check(directory)))
        .isInstanceOf(AssertionError.class);
    accept(contract(event));
    contract(event).check(directory);
  }

  @ParameterizedTest
  @CsvSource({
    "Unless, bank.paid.tags was always there and may be missing now",
    "Unless, bank.paid.day was always there and may be missing now",
    "NullInside, bank.paid.tags[] was string and is null or string",
    "NullInside, bank.paid.names{} was string and is null or string",
    "OtherDay, 'bank.paid.day had the format \"date\" and has \"dd.MM.yyyy\"'",
    "OtherKeys, 'bank.paid.kinds{key} has further values, which consumers don''t know: [\"CRYPTO\"]'",
    "AnyKeys, 'bank.paid.kinds{key} was one of [\"CASH\",\"CARD\"] and is any text'"
  })
  void whatAnnotationsAndTypeArgumentsChangeIsSeen(String now, String says) throws Exception {
    accept(contract(Parts.class));
    Class<? extends IntegrationEvent> event =
        Class.forName(getClass().getName() + "$" + now).asSubclass(IntegrationEvent.class);
    assertThatThrownBy(() -> contract(event).check(directory))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining(says);
    accept(contract(event));
    contract(event).check(directory);
  }

  @Test
  void whatMayBeMissingOrNullNoLongerIsCompatible() {
    accept(contract(Unless.class));
    contract(Parts.class).check(directory);
    accept(contract(NullInside.class));
    contract(Parts.class).check(directory);
  }

  @Test
  void nullsAreSeenHoweverDeepTheyAre() {
    JsonNode schema = json(contract(Deeper.class), TYPE + ".schema.json");
    assertThat(schema.at("/properties/kinds/type").toString()).isEqualTo("[\"array\",\"null\"]");
    assertThat(schema.at("/properties/kinds/items").toString())
        .isEqualTo("{\"type\":[\"string\",\"null\"],\"enum\":[\"CASH\",\"CARD\",null]}");
    assertThat(schema.at("/properties/table/items/type").asString()).isEqualTo("array");
    assertThat(schema.at("/properties/table/items/items/type").toString())
        .isEqualTo("[\"integer\",\"null\"]");
  }

  @ParameterizedTest
  @CsvSource({"Several, Payment", "Open, Money", "Marked, Payer"})
  void whatIsOneOfSeveralClassesIsRefused(String event, String names) throws Exception {
    Class<? extends IntegrationEvent> several =
        Class.forName(getClass().getName() + "$" + event).asSubclass(IntegrationEvent.class);
    assertThatThrownBy(() -> contract(several))
        .hasStackTraceContaining(names)
        .hasStackTraceContaining("one type of event for each of them");
  }

  @Test
  void typesAndTopics() {
    accept(contract(Base.class));
    EventTypes<IntegrationEvent> two =
        EventTypes.<IntegrationEvent>builder()
            .add(TYPE, Base.class)
            .add("bank.else", Else.class)
            .build();
    PublishedContract wider =
        contract(two, PublishedLanguage.builder().topic("bank", 3, TYPE, "bank.else").build());
    wider.check(directory);
    accept(wider);
    assertThatThrownBy(() -> contract(Base.class).check(directory))
        .hasMessageContaining("bank.else is no longer published");
    accept(contract(Base.class));
    assertThatThrownBy(
            () ->
                contract(Base.class, PublishedLanguage.builder().topic("new", 3, TYPE).build())
                    .check(directory))
        .hasMessageContaining("bank.paid goes to topic new, no longer to bank");
    assertThatThrownBy(
            () ->
                contract(Base.class, PublishedLanguage.builder().topic("bank", 6, TYPE).build())
                    .check(directory))
        .hasMessageContaining("topic bank has 6 partitions instead of 3");
  }

  @Test
  void registryAndLanguageNameTheSameTypes() {
    assertThatThrownBy(
            () -> contract(Base.class, PublishedLanguage.builder().topic("b", 1, "other").build()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[bank.paid] have no topic", "[other] have no registered class");
  }

  @Test
  void anEventThatContainsItselfIsRefused() {
    assertThatThrownBy(() -> contract(Tree.class)).hasStackTraceContaining("Tree contains itself");
  }
}
