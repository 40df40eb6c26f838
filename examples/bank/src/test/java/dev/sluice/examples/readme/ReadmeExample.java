package dev.sluice.examples.readme;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.adapter.jdbc.JdbcStorage;
import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Storage;
import dev.sluice.core.translation.Translation;
import dev.sluice.core.translation.Translator;
import dev.sluice.publisher.Relay;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import java.io.PrintStream;
import java.net.URI;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import javax.sql.DataSource;

/** The code of the README, between the markers; {@link ReadmeTest} compares the two and runs it. */
@SuppressWarnings("MissingOverride") // The README is short.
final class ReadmeExample {

  private ReadmeExample() {}

  // README: account
  sealed interface Moved extends DomainEvent {}

  @EventType("deposited")
  record Deposited(long francs) implements Moved {}

  @EventType("withdrawn")
  record Withdrawn(long francs) implements Moved {}

  record Account() implements Decider<Long, Long, Moved> {
    public Long initial() {
      return 0L;
    }

    public Long evolve(Long balance, Moved event) {
      return switch (event) {
        case Deposited deposited -> balance + deposited.francs();
        case Withdrawn withdrawn -> balance - withdrawn.francs();
      };
    }

    public List<Moved> decide(Long francs, Long balance) {
      if (balance + francs < 0) throw new IllegalStateException("there are only " + balance);
      return List.of(francs < 0 ? new Withdrawn(-francs) : new Deposited(francs));
    }
  }

  // README: end

  static void inMemory(PrintStream out) {
    // README: memory
    try (Storage storage = InMemoryStorage.create()) {
      var json = JacksonSerializer.create();
      var codec = EventCodec.of(EventTypes.of(Moved.class), json);
      var accounts =
          CommandHandler.builder(storage, codec, "account", Moved.class, new Account()).build();

      accounts.handle("anna", 42L);
      accounts.handle("anna", -40L);

      out.println("balance: " + accounts.load("anna").state());
      storage
          .eventStore()
          .readFrom(StreamId.of("account", "anna"), 1)
          .forEach(
              event ->
                  out.println(event.version() + " " + event.type() + " " + event.data().toUtf8()));
    }
    // README: end
  }

  static void onPostgres(DataSource dataSource, PrintStream out) {
    // README: postgres
    try (Storage storage = JdbcStorage.create(dataSource)) {
      // README: end
      var json = JacksonSerializer.create();
      var codec = EventCodec.of(EventTypes.of(Moved.class), json);
      var accounts =
          CommandHandler.builder(storage, codec, "account", Moved.class, new Account()).build();
      accounts.handle("anna", 42L);
      accounts.handle("anna", -40L);
      out.println("balance: " + accounts.load("anna").state());
      storage
          .eventStore()
          .readFrom(StreamId.of("account", "anna"), 1)
          .forEach(
              event ->
                  out.println(event.version() + " " + event.type() + " " + event.data().toUtf8()));
    }
  }

  // README: language
  @EventType("accounts.large-deposit")
  record LargeDeposit(long francs) implements IntegrationEvent {}

  static final Translator SLUICE =
      Translator.builder()
          .some(
              Deposited.class,
              deposited ->
                  deposited.francs() < 10_000
                      ? Optional.empty()
                      : Optional.of(new LargeDeposit(deposited.francs())))
          .build();

  // README: end

  static void toKafka(Storage storage, String bootstrapServers, BooleanSupplier arrived) {
    var json = JacksonSerializer.create();
    var codec = EventCodec.of(EventTypes.of(Moved.class), json);
    // README: kafka
    var accounts =
        CommandHandler.builder(storage, codec, "account", Moved.class, new Account())
            .translation(Translation.of(SLUICE, EventTypes.of(LargeDeposit.class), json))
            .build();
    var language =
        PublishedLanguage.builder().topic("accounts", 3, "accounts.large-deposit").build();
    var source = URI.create("urn:example:bank");
    try (MessagePublisher kafka =
            KafkaMessagePublisher.builder(bootstrapServers, source, language).build();
        Relay relay =
            Relay.builder(
                    "accounts", storage.outbox(), storage.checkpoints(), storage.leases(), kafka)
                .start()) {
      accounts.handle("anna", 12_500L);
      // README: end
      if (!arrived.getAsBoolean()) {
        throw new AssertionError("nothing arrived: " + relay.status());
      }
    }
  }
}
