package dev.sluice.adapter.inmemory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.EventTypes;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.process.ProcessAction;
import dev.sluice.core.process.ProcessDefinition;
import dev.sluice.core.process.ProcessManager;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.subscription.FailurePolicy;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.core.translation.Source;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProcessManagerTest {

  // The account

  sealed interface AccountEvent extends DomainEvent {}

  record Changed(long by) implements AccountEvent {}

  record Closed() implements AccountEvent {}

  record TransferAsked(String id, String from, String to, long amount, Instant until)
      implements AccountEvent {

    TransferAsked(String id, String to, long amount, Instant until) {
      this(id, "from", to, amount, until);
    }
  }

  record Account(long balance, boolean closed) {}

  static final class Rules implements Decider<AccountEvent, Account, AccountEvent> {

    @Override
    public Account initial() {
      return new Account(0, false);
    }

    @Override
    public Account evolve(Account state, AccountEvent event) {
      return switch (event) {
        case Changed changed -> new Account(state.balance() + changed.by(), state.closed());
        case Closed closed -> new Account(state.balance(), true);
        case TransferAsked asked -> state;
      };
    }

    @Override
    public List<AccountEvent> decide(AccountEvent command, Account state) {
      if (state.closed()) {
        throw new IllegalStateException("closed");
      }
      return List.of(command);
    }
  }

  // The transfer

  sealed interface TransferEvent extends DomainEvent {}

  record Started(String from, String to, long amount, Instant until) implements TransferEvent {}

  record Withdrawn(String to, long amount) implements TransferEvent {}

  record Refused(String from, long amount) implements TransferEvent {}

  record Done() implements TransferEvent {}

  record Late() implements TransferEvent {}

  enum State {
    NEW,
    STARTED,
    WITHDRAWN,
    REFUSED,
    DONE,
    LATE
  }

  @SuppressWarnings("NullAway") // Returns null where a test wants it to.
  private final class Transfer implements ProcessDefinition<State, TransferEvent> {

    private final String unreachable;

    Transfer(String unreachable) {
      this.unreachable = unreachable;
    }

    @Override
    public State initial() {
      return State.NEW;
    }

    @Override
    public State evolve(State state, TransferEvent event) {
      return switch (event) {
        case Started started -> State.STARTED;
        case Withdrawn withdrawn -> State.WITHDRAWN;
        case Refused refused -> State.REFUSED;
        case Done done -> State.DONE;
        case Late late -> State.LATE;
      };
    }

    @Override
    public Optional<String> processOf(DomainEvent event, Source source) {
      if (mute.equals("processOf")) {
        return null;
      }
      return event instanceof TransferAsked asked
          ? Optional.of(asked.id())
          : source.metadata().correlationId();
    }

    @Override
    public List<TransferEvent> react(State state, DomainEvent event, Source source) {
      if (mute.equals("react")) {
        return null;
      }
      if (event instanceof TransferAsked asked && state == State.NEW) {
        return List.of(new Started(asked.from(), asked.to(), asked.amount(), asked.until()));
      }
      if (event instanceof Changed changed && state == State.STARTED) {
        return List.of(new Withdrawn("to", -changed.by()));
      }
      return event instanceof Changed && state == State.WITHDRAWN ? List.of(new Done()) : List.of();
    }

    @Override
    public List<ProcessAction<TransferEvent, State>> actions(String id, TransferEvent event) {
      if (mute.equals("actions")) {
        return null;
      }
      if (id.equals(poison)) {
        throw new IllegalStateException("a bug in the actions of " + id);
      }
      return switch (event) {
        case Started started ->
            List.of(
                new ProcessAction.Deadline<>(started.until(), state -> late(id, state)),
                command(started.from(), -started.amount()));
        case Withdrawn withdrawn -> List.of(command(withdrawn.to(), withdrawn.amount()));
        case Refused refused -> List.of(command("from", refused.amount()));
        case Done done -> List.of();
        case Late late -> List.of();
      };
    }

    private List<TransferEvent> late(String id, State state) {
      if (id.equals(poisonLate)) {
        throw new IllegalStateException("a bug in the deadline of " + id);
      }
      return state == State.STARTED || state == State.WITHDRAWN ? List.of(new Late()) : List.of();
    }

    private ProcessAction<TransferEvent, State> command(String account, long by) {
      return new ProcessAction.Command<>(
          options -> {
            if (account.equals(broken)) {
              throw new UnsupportedOperationException("a bug");
            }
            if (!account.equals(unreachable)) {
              accounts.handle(account, new Changed(by), options);
            }
          },
          IllegalStateException.class,
          refusal -> List.of(new Refused("from", by)));
    }
  }

  private static final FailurePolicy QUICK =
      FailurePolicy.PARK.withAttempts(2, Duration.ofMillis(1), Duration.ofMillis(1));

  /** Which of the process's functions returns null. */
  private volatile String mute = "none";

  private volatile String broken = "none";
  private volatile String poison = "none";
  private volatile String poisonLate = "none";

  private final Instant far = Instant.now().plusSeconds(100_000);

  private final InMemoryStorage storage = InMemoryStorage.create();
  private final EventCodec codec =
      EventCodec.of(
          EventTypes.<DomainEvent>builder()
              .add("changed", Changed.class)
              .add("closed", Closed.class)
              .add("asked", TransferAsked.class)
              .add("started", Started.class)
              .add("withdrawn", Withdrawn.class)
              .add("refused", Refused.class)
              .add("done", Done.class)
              .add("late", Late.class)
              .build(),
          JacksonSerializer.create());
  private final CommandHandler<AccountEvent, Account, AccountEvent> accounts =
      CommandHandler.builder(storage, codec, "account", AccountEvent.class, new Rules()).build();

  @Test
  void aTransferTakesHereAndGivesThere() {
    accounts.handle("from", new Changed(100));
    try (Subscriptions here = run(manager("nobody"))) {
      accounts.handle("from", new TransferAsked("t1", "to", 40, far));
      await(here, () -> state("t1") == State.DONE);
    }
    assertThat(balance("from")).isEqualTo(60);
    assertThat(balance("to")).isEqualTo(40);
  }

  @Test
  void aRefusedDepositIsCompensated() {
    accounts.handle("from", new Changed(100));
    accounts.handle("to", new Closed());
    try (Subscriptions here = run(manager("nobody"))) {
      accounts.handle("from", new TransferAsked("t1", "to", 40, far));
      await(here, () -> state("t1") == State.REFUSED && balance("from") == 100);
    }
    assertThat(storage.eventStore().readFrom(StreamId.of("account", "from"), 1)).hasSize(4);
  }

  @Test
  void aBugIsNoRefusal() {
    broken = "to";
    accounts.handle("from", new Changed(100));
    try (Subscriptions here = run(manager("nobody"))) {
      accounts.handle("from", new TransferAsked("t1", "to", 40, far));
      await(here, () -> here.status().getFirst().parked().size() == 1);
      assertThat(state("t1")).isEqualTo(State.WITHDRAWN);
      broken = "none";
      here.resume("transfer", StreamId.of("transfer", "t1"), "anna", "mended");
      await(here, () -> state("t1") == State.DONE);
    }
  }

  @Test
  void whatIsTechnicalCannotBeNamedARefusal() {
    assertThatThrownBy(
            () ->
                new ProcessAction.Command<TransferEvent, State, StoreUnavailableException>(
                    options -> {}, StoreUnavailableException.class, refused -> List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("StoreUnavailableException is technical");
  }

  @Test
  void partitionsShareTheProcessesAndTheirDeadlines() {
    Instant soon = Instant.now().plusMillis(3_000);
    inTwoProcesses(
        here -> {
          for (int i = 0; i < 20; i++) {
            accounts.handle("a" + i, new TransferAsked("t" + i, "to", 10, far));
            accounts.handle("a" + i, new TransferAsked("u" + i, "lost", "to", 10, soon));
          }
          for (int i = 0; i < 20; i++) {
            String done = "t" + i;
            String waits = "u" + i;
            await(here, () -> state(done) == State.DONE && state(waits) != State.NEW);
          }
        });
    inTwoProcesses(
        here -> {
          for (int i = 0; i < 20; i++) {
            String waits = "u" + i;
            await(here, () -> state(waits) == State.LATE);
          }
          assertThat(here.status()).hasSize(4).allMatch(status -> status.parked().isEmpty());
        });
    assertThat(balance("to")).isEqualTo(200);
    assertThat(balance("from")).isEqualTo(-200);
  }

  @Test
  void repeatedDeliveriesAndLostCheckpointsRepeatNoCommand() {
    accounts.handle("from", new Changed(1_000));
    try (Subscriptions here = run(manager("nobody"))) {
      for (int i = 0; i < 20; i++) {
        storage.schedule().loseCheckpoints(1);
        accounts.handle("from", new TransferAsked("t" + i, "to", 10, far));
        String id = "t" + i;
        await(here, () -> state(id) == State.DONE);
      }
    }
    // As after a restored checkpoint: everything comes once more.
    storage.checkpoints().delete("subscription/transfer/0");
    try (Subscriptions here = run(manager("nobody"))) {
      assertThat(
              here.await("transfer", storage.globalLog().status().head(), Duration.ofSeconds(30)))
          .isTrue();
    }
    assertThat(balance("from")).isEqualTo(800);
    assertThat(balance("to")).isEqualTo(200);
    assertThat(storage.eventStore().readFrom(StreamId.of("account", "to"), 1)).hasSize(20);
  }

  @Test
  void aDeadlineSurvivesARestart() {
    Instant soon = Instant.now().plusMillis(1_500);
    try (Subscriptions here = run(manager("from"))) {
      accounts.handle("from", new TransferAsked("t1", "to", 40, soon));
      await(here, () -> state("t1") == State.STARTED);
      assertThat(
              here.await("transfer", storage.globalLog().status().head(), Duration.ofSeconds(30)))
          .isTrue();
    }
    assertThat(state("t1")).isEqualTo(State.STARTED);
    try (Subscriptions here = run(manager("from"))) {
      await(here, () -> state("t1") == State.LATE);
    }
    assertThat(Instant.now()).isAfterOrEqualTo(soon);
    assertThat(storage.eventStore().readFrom(StreamId.of("transfer", "t1"), 1)).hasSize(2);
  }

  @Test
  void anEventWhoseActionsFailHoldsUpNoOtherProcessAlsoAfterARestart() {
    accounts.handle("from", new Changed(100));
    poison = "t1";
    parkT1(far);
    try (Subscriptions here = run(manager("nobody"))) {
      accounts.handle("from", new TransferAsked("t2", "to", 40, far));
      await(here, () -> state("t2") == State.DONE);
      assertThat(here.status().getFirst().parked()).hasSize(1);
    }
  }

  @Test
  void aDeadlineThatFailsHoldsUpNoOtherAndIsTriedAgain() {
    poisonLate = "t1";
    Instant soon = Instant.now().plusMillis(200);
    try (Subscriptions here = run(manager("from"))) {
      accounts.handle("from", new TransferAsked("t1", "to", 40, soon));
      accounts.handle("from", new TransferAsked("t2", "to", 40, soon.plusMillis(1)));
      await(here, () -> state("t2") == State.LATE);
      assertThat(state("t1")).isEqualTo(State.STARTED);
      poisonLate = "none";
      await(here, () -> state("t1") == State.LATE);
    }
  }

  @Test
  void theDeadlinesOfOthersAreFoundAlsoIfAParkedEventIsResumedAtATakeover() {
    Instant soon = Instant.now().plusMillis(2_000);
    poison = "t1";
    parkT1(soon);
    try (Subscriptions here = run(manager("from"))) {
      accounts.handle("from", new TransferAsked("t2", "to", 40, soon));
      await(here, () -> state("t2") == State.STARTED);
      assertThat(
              here.await("transfer", storage.globalLog().status().head(), Duration.ofSeconds(30)))
          .isTrue();
    }
    poison = "none";
    try (Subscriptions elsewhere = Subscriptions.of(storage)) {
      elsewhere.resume("transfer", StreamId.of("transfer", "t1"), "anna", "mended");
    }
    try (Subscriptions here = run(manager("from"))) {
      await(here, () -> state("t1") == State.LATE && state("t2") == State.LATE);
    }
  }

  @Test
  void aCategoryThatNoStreamCanHaveIsRefused() {
    assertThatThrownBy(() -> manager("nobody").subscription(QUICK, "account", "my-payment"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'my-payment' is not a stream category");
  }

  @ParameterizedTest
  @ValueSource(strings = {"processOf", "react", "actions"})
  void aFunctionThatReturnsNullIsNamed(String function) {
    mute = function;
    try (Subscriptions here = run(manager("nobody"))) {
      accounts.handle("from", new TransferAsked("t1", "to", 40, far));
      await(here, () -> here.status().getFirst().parked().size() == 1);
      assertThat(here.status().getFirst().parked().getFirst().error())
          .contains("'" + function + "' of the process 'transfer' has returned null for a ")
          .contains("a bug in it");
    }
  }

  private void inTwoProcesses(Consumer<Subscriptions> work) {
    try (Subscriptions here = Subscriptions.of(storage);
        Subscriptions there = Subscriptions.of(storage)) {
      here.start(manager("lost").subscription(4, QUICK, "account"));
      there.start(manager("lost").subscription(4, QUICK, "account"));
      work.accept(here);
    }
  }

  private void parkT1(Instant until) {
    try (Subscriptions here = run(manager("from"))) {
      accounts.handle("from", new TransferAsked("t1", "to", 40, until));
      await(here, () -> here.status().getFirst().parked().size() == 1);
    }
  }

  private ProcessManager<State, TransferEvent> manager(String unreachable) {
    return new ProcessManager<>(
        storage, codec, "transfer", TransferEvent.class, new Transfer(unreachable));
  }

  private Subscriptions run(ProcessManager<State, TransferEvent> manager) {
    Subscriptions here = Subscriptions.of(storage);
    here.start(manager.subscription(QUICK, "account"));
    return here;
  }

  private State state(String process) {
    return manager("nobody").load(process).state();
  }

  private long balance(String account) {
    return accounts.load(account).state().balance();
  }

  private static void await(Subscriptions here, BooleanSupplier condition) {
    long until = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as(() -> "in time: " + here.status()).isLessThan(until);
      Thread.onSpinWait();
    }
  }
}
