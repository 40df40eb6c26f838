package dev.sluice.adapter.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import dev.sluice.core.EventTypes;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.aggregate.SnapshotPolicy;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.testservers.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jdbi.v3.core.JdbiException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Commands whose events are committed together with the service's own tables, or not at all. */
class CommandsInTransactionsTest {

  private static final StreamId ANNA = StreamId.of("account", "anna");

  record Deposited(long francs) implements DomainEvent {}

  record Balance(long francs) {}

  private final class Account implements Decider<Long, Balance, Deposited> {

    @Override
    public Balance initial() {
      return new Balance(0);
    }

    @Override
    public Balance evolve(Balance balance, Deposited event) {
      return new Balance(balance.francs() + event.francs());
    }

    @Override
    public List<Deposited> decide(Long francs, Balance balance) {
      Runnable first = meanwhile;
      meanwhile = () -> {};
      first.run();
      return List.of(new Deposited(francs));
    }
  }

  /** What somebody else does between the next decision and its append. */
  private Runnable meanwhile = () -> {};

  private HikariDataSource pool;
  private JdbcStorage storage;
  private CommandHandler<Long, Balance, Deposited> accounts;

  @BeforeEach
  void open() {
    pool = PostgresFixture.pool(PostgresServer.shared().newDatabase(), 8);
    storage = JdbcStorage.create(pool);
    accounts = accounts(0);
    storage.inTransaction(
        tx -> tx.handle().execute("create table payment (reference text primary key)"));
  }

  private CommandHandler<Long, Balance, Deposited> accounts(int cached) {
    var codec =
        EventCodec.of(
            EventTypes.<DomainEvent>builder().add("deposited", Deposited.class).build(),
            JacksonSerializer.create());
    var builder =
        CommandHandler.builder(storage, codec, "account", Deposited.class, new Account())
            .snapshots(new SnapshotPolicy<>("balance-1", Balance.class, 1));
    return (cached == 0 ? builder : builder.singleWriter(cached)).build();
  }

  @AfterEach
  void close() {
    storage.close();
    pool.close();
  }

  private Balance deposit(String reference, long francs) {
    // README: transaction
    CommandResult<Balance, Deposited> result =
        storage.inTransaction(
            tx -> {
              tx.handle().execute("insert into payment values (?)", reference);
              return accounts.within(tx.eventStore(), tx.snapshots()).handle("anna", francs);
            });
    // README: end
    return result.state();
  }

  @Test
  void theReadmeShowsThis() throws IOException {
    String source =
        Files.readString(
            Path.of("src/test/java/dev/sluice/adapter/jdbc/CommandsInTransactionsTest.java"));
    int begin = source.indexOf("// README: transaction\n");
    String shown =
        source.substring(source.indexOf('\n', begin), source.indexOf("// README: end", begin));
    assertThat(Readme.java("CommandResult")).isEqualToIgnoringWhitespace(shown);
  }

  @Test
  void S1_aCommandAndItsPaymentAreStoredTogether() {
    assertThat(deposit("R-1", 40).francs()).isEqualTo(40);
    assertThat(deposit("R-2", 2).francs()).isEqualTo(42);
    assertThat(accounts.load("anna").state().francs()).isEqualTo(42);
    assertThat(storage.snapshots().load(ANNA, "balance-1").orElseThrow().version()).isEqualTo(2);
  }

  @Test
  void S1_ofARefusedPaymentNothingIsLeftAlsoNoSnapshot() {
    deposit("R-1", 40);
    assertThatThrownBy(() -> deposit("R-1", 2)).isInstanceOf(JdbiException.class);
    assertThatThrownBy(
            () ->
                storage.inTransaction(
                    tx -> {
                      accounts.within(tx.eventStore(), tx.snapshots()).handle("anna", 2L);
                      throw new IllegalStateException("on purpose");
                    }))
        .hasMessage("on purpose");
    assertThat(storage.snapshots().load(ANNA, "balance-1").orElseThrow().version()).isEqualTo(1);
    // Takes the version that was rolled back: a snapshot of that one would look as if it were its.
    accounts.handle("anna", 10L);
    assertThat(accounts.load("anna").state().francs()).isEqualTo(50);
  }

  @Test
  void S2_aConflictIsDecidedAgainInTheSameTransaction() {
    deposit("R-1", 40);
    meanwhile = () -> accounts(0).handle("anna", 1L);
    assertThat(deposit("R-2", 2).francs()).isEqualTo(43);
    assertThat(accounts.load("anna").state().francs()).isEqualTo(43);
  }

  @Test
  void aSingleWriterRemembersNothingOfATransaction() {
    accounts = accounts(10);
    accounts.handle("anna", 40L);
    assertThatThrownBy(
            () ->
                storage.inTransaction(
                    tx -> {
                      var inside = accounts.within(tx.eventStore(), tx.snapshots());
                      assertThat(inside.handle("anna", 2L).state().francs()).isEqualTo(42);
                      assertThat(inside.load("anna").state().francs()).isEqualTo(42);
                      assertThat(accounts.load("anna").state().francs()).isEqualTo(40);
                      throw new IllegalStateException("on purpose");
                    }))
        .hasMessage("on purpose");
    assertThat(accounts.handle("anna", 1L).state().francs()).isEqualTo(41);
  }
}
