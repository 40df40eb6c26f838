package dev.sluice.examples.bank.demo;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.Collectors;

/**
 * What can be said to the demo.
 *
 * @param postgresUri an existing PostgreSQL; else one is started
 * @param kafkaBootstrap an existing Kafka; else one is started
 */
record DemoSettings(Store store, Optional<String> postgresUri, Optional<String> kafkaBootstrap) {

  enum Store {
    INMEMORY,
    POSTGRES,
    MONGO,
    SQLITE
  }

  /** Reads {@code -Dstore}, {@code -Dpostgres.uri} and {@code -Dkafka.bootstrap}. */
  static DemoSettings of(Properties properties) {
    String name = given(properties, "store").orElse("postgres");
    Store store =
        Arrays.stream(Store.values())
            .filter(known -> nameOf(known).equals(name))
            .findAny()
            .orElseThrow(
                () ->
                    new DemoException(
                        "There is no store '"
                            + name
                            + "'. Say "
                            + Arrays.stream(Store.values())
                                .map(known -> "-Dstore=" + nameOf(known))
                                .collect(Collectors.joining(" or "))
                            + "."));
    return new DemoSettings(
        store, given(properties, "postgres.uri"), given(properties, "kafka.bootstrap"));
  }

  private static String nameOf(Store store) {
    return store.name().toLowerCase(Locale.ROOT);
  }

  private static Optional<String> given(Properties properties, String name) {
    return Optional.of(properties.getProperty(name, "").strip()).filter(text -> !text.isEmpty());
  }
}
