package dev.sluice.adapter.inmemory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.EventType;
import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.aggregate.AggregateDecider;
import dev.sluice.core.aggregate.AggregateRoot;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandOptions;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.aggregate.RetryPolicy;
import dev.sluice.core.aggregate.SnapshotPolicy;
import dev.sluice.core.aggregate.TooManyConflictsException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.core.translation.Translation;
import dev.sluice.core.translation.Translator;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The command loop of the core, on a store whose commits a test can order. */
@Timeout(60)
class CommandHandlerTest {

  @EventType("moved")
  record Moved(long amount) implements DomainEvent {}

  @EventType("other")
  record Other() implements DomainEvent {}

  record Balance(long amount) {}

  /** Refuses to go below zero; 0 changes nothing. Runs what a test gives it before it decides. */
  private static final class Account implements Decider<Long, Balance, Moved> {

    private final List<Long> evolved = new ArrayList<>();
    private final List<Runnable> interruptions = new ArrayList<>();

    @Override
    public Balance initial() {
      return new Balance(0);
    }

    @Override
    public synchronized Balance evolve(Balance state, Moved event) {
      evolved.add(event.amount());
      return new Balance(state.amount() + event.amount());
    }

    @Override
    public List<Moved> decide(Long amount, Balance state) {
      if (!interruptions.isEmpty()) {
        interruptions.removeFirst().run();
      }
      if (state.amount() + amount < 0) {
        throw new IllegalStateException("there are only " + state.amount());
      }
      return amount == 0 ? List.of() : List.of(new Moved(amount));
    }
  }

  private static final StreamId STREAM = StreamId.of("account", "42");
  private static final RetryPolicy AT_ONCE = new RetryPolicy(5, Duration.ZERO, Duration.ZERO);

  private final InMemoryStorage storage = InMemoryStorage.create();
  private final EventCodec codec =
      EventCodec.of(
          EventTypes.<DomainEvent>builder().addAll(Moved.class).addAll(Other.class).build(),
          JacksonSerializer.create());
  private final Account account = new Account();
  private final CommandHandler<Long, Balance, Moved> handler = builder(account).build();
  private final CommandHandler<Long, Balance, Moved> somebodyElse = builder(new Account()).build();

  @AfterEach
  void close() {
    storage.close();
  }

  @Test
  void a_command_leads_to_stored_events_and_a_new_state() {
    CommandResult<Balance, Moved> first = handler.handle("42", 10L);
    CommandResult<Balance, Moved> second = handler.handle("42", -4L);
    assertThat(first.state()).isEqualTo(new Balance(10));
    assertThat(second.state()).isEqualTo(new Balance(6));
    assertThat(second.version()).isEqualTo(2);
    assertThat(second.events()).containsExactly(new Moved(-4));
    assertThat(second.conflicts()).isZero();
    assertThat(handler.load("42").state()).isEqualTo(new Balance(6));
    assertThat(handler.load("42").position()).isEqualTo(second.position());
  }

  @Test
  void an_aggregate_without_events_is_at_version_0_in_its_initial_state() {
    assertThat(handler.load("nobody").version()).isZero();
    assertThat(handler.load("nobody").state()).isEqualTo(new Balance(0));
    assertThat(handler.load("nobody").position()).isEqualTo(Position.START);
  }

  @Test
  void a_command_that_changes_nothing_stores_nothing() {
    handler.handle("42", 10L);
    CommandResult<Balance, Moved> result = handler.handle("42", 0L);
    assertThat(result.events()).isEmpty();
    assertThat(result.version()).isEqualTo(1);
    assertThat(stored()).hasSize(1);
  }

  @Test
  void a_conflict_is_decided_again_on_the_new_state_and_reads_the_tail_only() {
    handler.handle("42", 10L);
    account.interruptions.add(() -> somebodyElse.handle("42", 5L));
    account.evolved.clear();

    CommandResult<Balance, Moved> result = handler.handle("42", -8L);

    assertThat(result.conflicts()).isEqualTo(1);
    assertThat(result.state()).isEqualTo(new Balance(7));
    assertThat(result.version()).isEqualTo(3);
    assertThat(account.evolved)
        .describedAs("the first event is read once; after the conflict, only what came between")
        .containsExactly(10L, -8L, 5L, -8L);
  }

  @Test
  void a_refusal_of_the_business_is_not_retried_and_stores_nothing() {
    handler.handle("42", 10L);
    List<Integer> decisions = new ArrayList<>();
    account.interruptions.add(() -> decisions.add(1));
    account.interruptions.add(() -> decisions.add(2));
    assertThatThrownBy(() -> handler.handle("42", -11L))
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("there are only 10");
    assertThat(decisions).containsExactly(1);
    assertThat(stored()).hasSize(1);
  }

  @Test
  void what_was_possible_before_the_conflict_may_be_refused_after_it() {
    handler.handle("42", 10L);
    account.interruptions.add(() -> somebodyElse.handle("42", -10L));
    assertThatThrownBy(() -> handler.handle("42", -10L)).hasMessage("there are only 0");
    assertThat(stored()).hasSize(2);
  }

  @Test
  void it_gives_up_after_as_many_attempts_as_the_policy_says() {
    for (int i = 0; i < 6; i++) {
      account.interruptions.add(() -> somebodyElse.handle("42", 1L));
    }
    assertThatThrownBy(() -> handler.handle("42", 100L))
        .isInstanceOf(TooManyConflictsException.class)
        .hasMessageContaining("account-42")
        .hasMessageContaining("5 attempts")
        .hasCauseInstanceOf(VersionConflictException.class);
    assertThat(stored()).hasSize(5);
  }

  @Test
  void whoever_wants_to_be_refused_after_a_change_is() {
    handler.handle("42", 10L);
    CommandOptions seen = CommandOptions.DEFAULT.ifUnchangedSince(1);
    assertThat(handler.handle("42", 1L, seen).version()).isEqualTo(2);
    assertThatThrownBy(() -> handler.handle("42", 1L, seen))
        .isExactlyInstanceOf(VersionConflictException.class)
        .hasMessageContaining("version 2")
        .hasMessageContaining("version 1");
    assertThat(stored()).hasSize(2);
  }

  @Test
  void whoever_wants_to_be_refused_after_a_change_is_also_when_it_comes_in_between() {
    handler.handle("42", 10L);
    account.interruptions.add(() -> somebodyElse.handle("42", 5L));
    CommandOptions seen = CommandOptions.DEFAULT.ifUnchangedSince(1);
    assertThatThrownBy(() -> handler.handle("42", 1L, seen))
        .isInstanceOf(VersionConflictException.class);
    assertThat(stored()).hasSize(2);
  }

  @Test
  void a_repeated_command_is_not_decided_again() {
    UUID commandId = EventIds.next();
    CommandOptions options = CommandOptions.DEFAULT.withCommandId(commandId);
    handler.handle("42", 10L, options);
    handler.handle("42", -10L);
    CommandResult<Balance, Moved> repeated = handler.handle("42", 10L, options);
    assertThat(repeated.events()).isEmpty();
    assertThat(repeated.state()).isEqualTo(new Balance(0));
    assertThat(stored()).hasSize(2);
  }

  @Test
  void a_repetition_that_overtakes_the_command_wins_and_the_command_adds_nothing() {
    CommandOptions options = CommandOptions.DEFAULT.withCommandId(EventIds.next());
    account.interruptions.add(() -> somebodyElse.handle("42", 10L, options));
    handler.handle("42", 10L, options);
    assertThat(stored()).hasSize(1);
    assertThat(handler.load("42").state()).isEqualTo(new Balance(10));
  }

  @Test
  void P1_when_another_try_wins_behind_others_their_events_are_read_and_not_guessed() {
    var snapshotting = snapshotting();
    snapshotting.handle("42", 1L);
    CommandOptions options = CommandOptions.DEFAULT.withCommandId(EventIds.next());
    account.interruptions.add(
        () -> {
          somebodyElse.handle("42", 5L);
          somebodyElse.handle("42", 10L, options);
        });
    CommandResult<Balance, Moved> result = snapshotting.handle("42", 10L, options);
    assertThat(result.state()).isEqualTo(new Balance(16));
    assertThat(result.version()).isEqualTo(3);
    assertThat(snapshotting.load("42").state())
        .as("and no snapshot lacks what came between")
        .isEqualTo(new Balance(16));
  }

  @Test
  void another_try_that_has_decided_otherwise_and_wins_is_no_duplicate() {
    var purses =
        CommandHandler.builder(
                storage, codec, "purse", Moved.class, AggregateDecider.of(Purse::new))
            .build();
    CommandOptions options = CommandOptions.DEFAULT.withCommandId(EventIds.next());
    var result =
        purses.handle(
            "1",
            purse -> {
              purses.handle("1", other -> other.put(5));
              purses.handle("1", other -> other.put(1), options);
              purse.put(1);
              purse.put(1);
            },
            options);
    assertThat(result.state().aggregate().amount).isEqualTo(6);
    assertThat(result.version()).isEqualTo(2);
  }

  @Test
  void a_command_id_that_was_used_for_another_aggregate_is_refused() {
    CommandOptions options = CommandOptions.DEFAULT.withCommandId(EventIds.next());
    handler.handle("41", 10L, options);
    assertThatThrownBy(() -> handler.handle("42", 10L, options))
        .isInstanceOf(DuplicateEventException.class)
        .hasMessageContaining("account-41");
    assertThat(stored()).isEmpty();
  }

  @Test
  void after_a_lost_reply_the_append_is_repeated_and_stored_once() {
    storage.schedule().loseReplies(2);
    CommandResult<Balance, Moved> result = handler.handle("42", 10L);
    assertThat(result.version()).isEqualTo(1);
    assertThat(result.conflicts()).isZero();
    assertThat(stored()).hasSize(1);
  }

  @Test
  void an_event_that_can_not_be_evolved_fails_the_command_before_it_is_stored() {
    handler.handle("42", 10L);
    var fragile =
        CommandHandler.builder(
                storage,
                codec,
                "account",
                Moved.class,
                new Decider<Long, Balance, Moved>() {
                  @Override
                  public Balance initial() {
                    return new Balance(0);
                  }

                  @Override
                  public Balance evolve(Balance state, Moved event) {
                    if (event.amount() == 13) {
                      throw new IllegalStateException("13 is not foreseen");
                    }
                    return state;
                  }

                  @Override
                  public List<Moved> decide(Long amount, Balance state) {
                    return List.of(new Moved(amount));
                  }
                })
            .build();
    assertThatThrownBy(() -> fragile.handle("42", 13L)).hasMessage("13 is not foreseen");
    assertThat(stored()).hasSize(1);
  }

  /** Returns null for 1, in the function that has the name. */
  private CommandHandler<Long, Balance, Moved> silent(String function) {
    var decider =
        new Decider<Long, Balance, Moved>() {
          @Override
          @SuppressWarnings("NullAway") // A bug of the service's.
          public Balance initial() {
            return function.equals("initial") ? null : new Balance(0);
          }

          @Override
          @SuppressWarnings("NullAway")
          public Balance evolve(Balance state, Moved event) {
            return event.amount() == 1 && function.equals("evolve") ? null : state;
          }

          @Override
          @SuppressWarnings("NullAway")
          public List<Moved> decide(Long amount, Balance state) {
            return switch (function) {
              case "decide" -> null;
              case "decide, in its list" -> Collections.singletonList(null);
              default -> List.of(new Moved(amount));
            };
          }
        };
    return CommandHandler.builder(storage, codec, "account", Moved.class, decider).build();
  }

  @ParameterizedTest
  @ValueSource(strings = {"evolve", "decide", "decide, in its list", "initial"})
  void a_decider_that_returns_null_is_named_and_nothing_is_stored(String function) {
    String name = function.replaceAll(",.*", "");
    assertThatThrownBy(() -> silent(function).handle("42", 1L))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("'" + name + "' of the category 'account' has returned null")
        .hasMessageContaining("a bug in it");
    assertThat(stored()).isEmpty();
  }

  @Test
  void an_evolve_that_returns_null_for_a_stored_event_is_refused() {
    handler.handle("42", 1L);
    assertThatThrownBy(() -> silent("evolve").load("42"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("'evolve'")
        .hasMessageContaining(Moved.class.getName());
  }

  @Test
  void a_store_that_stays_away_is_reported() {
    storage.schedule().failAppends(100);
    assertThatThrownBy(() -> handler.handle("42", 10L))
        .isInstanceOf(StoreUnavailableException.class);
    assertThat(stored()).isEmpty();
  }

  @Test
  void metadata_is_stored_with_each_event() {
    Metadata metadata = Metadata.EMPTY.withCorrelationId("c").with("user", "");
    handler.handle("42", 10L, CommandOptions.DEFAULT.withMetadata(metadata));
    assertThat(codec.decodeMetadata(stored().getFirst())).isEqualTo(metadata);
  }

  @Test
  void a_translator_that_throws_fails_the_command_and_nothing_is_stored() {
    Translator broken =
        Translator.builder()
            .one(
                Moved.class,
                event -> {
                  throw new IllegalArgumentException("no words for it");
                })
            .build();
    var translating =
        builder(account)
            .translation(
                Translation.of(
                    broken,
                    EventTypes.<IntegrationEvent>builder().build(),
                    JacksonSerializer.create()))
            .build();
    assertThatThrownBy(() -> translating.handle("42", 10L)).hasMessage("no words for it");
    assertThat(stored()).isEmpty();
    assertThat(storage.outbox().read(Position.START, 10)).isEmpty();
  }

  @Test
  void an_event_of_another_kind_in_the_stream_is_named() {
    handler.handle("42", 10L);
    var confused =
        CommandHandler.builder(
                storage,
                codec,
                "account",
                Other.class,
                new Decider<Long, Long, Other>() {
                  @Override
                  public Long initial() {
                    return 0L;
                  }

                  @Override
                  public Long evolve(Long state, Other event) {
                    return state;
                  }

                  @Override
                  public List<Other> decide(Long command, Long state) {
                    return List.of(new Other());
                  }
                })
            .build();
    assertThatThrownBy(() -> confused.load("42"))
        .hasMessageContaining("account-42, version 1")
        .hasMessageContaining("Moved")
        .hasMessageContaining("withUpcaster")
        .hasMessageContaining("category of its own");
  }

  sealed interface Told extends DomainEvent {

    sealed interface Loudly extends Told {}
  }

  @EventType("whispered")
  record Whispered() implements Told {}

  @EventType("shouted")
  record Shouted() implements Told.Loudly {}

  interface Open extends DomainEvent {}

  @EventType("opened")
  record Opened() implements Open {}

  private <E extends DomainEvent> CommandHandler<List<E>, Long, E> storing(
      Class<E> eventClass, Class<? extends DomainEvent> registered) {
    return CommandHandler.builder(
            storage,
            EventCodec.of(EventTypes.of(registered), JacksonSerializer.create()),
            "told",
            eventClass,
            new Decider<List<E>, Long, E>() {
              @Override
              public Long initial() {
                return 0L;
              }

              @Override
              public Long evolve(Long state, E event) {
                return state + 1;
              }

              @Override
              public List<E> decide(List<E> command, Long state) {
                return command;
              }
            })
        .build();
  }

  @Test
  void an_event_class_that_is_not_registered_is_refused_before_the_first_command() {
    assertThatThrownBy(() -> storing(Told.class, Whispered.class))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'told'")
        .hasMessageContaining(Shouted.class.getName())
        .hasMessageContaining("register it with");
    assertThatThrownBy(() -> storing(Whispered.class, Moved.class))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(Whispered.class.getName());
    assertThatThrownBy(() -> storing(Open.class, Moved.class))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(Open.class.getName());
  }

  @Test
  void
      event_classes_that_are_registered_are_accepted_and_of_an_unsealed_interface_some_are_enough() {
    assertThat(
            storing(Told.class, Told.class)
                .handle("1", List.of(new Whispered(), new Shouted()))
                .version())
        .isEqualTo(2);
    assertThat(storing(Open.class, Opened.class).handle("2", List.of(new Opened())).version())
        .isEqualTo(1);
  }

  @Test
  void fifty_commands_at_the_same_moment_are_all_carried_out_once() throws Exception {
    CyclicBarrier start = new CyclicBarrier(50);
    var patient = builder(new Account()).retries(RetryPolicy.DEFAULT).build();
    List<Future<CommandResult<Balance, Moved>>> results = new ArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < 50; i++) {
        results.add(
            threads.submit(
                () -> {
                  start.await(20, TimeUnit.SECONDS);
                  return patient.handle("42", 1L);
                }));
      }
    }
    List<Long> versions = new ArrayList<>();
    for (Future<CommandResult<Balance, Moved>> result : results) {
      versions.add(result.get().version());
    }
    assertThat(versions).doesNotHaveDuplicates().hasSize(50);
    assertThat(patient.load("42").state()).isEqualTo(new Balance(50));
  }

  // ---- snapshots never change a result

  @Test
  void P1_a_snapshot_saves_the_reading_of_what_it_includes() {
    var snapshotting = snapshotting();
    for (int i = 0; i < 7; i++) {
      snapshotting.handle("42", 1L);
    }
    assertThat(storage.snapshots().load(STREAM, "balance-1").orElseThrow().version()).isEqualTo(6);
    account.evolved.clear();
    assertThat(snapshotting.load("42").state()).isEqualTo(new Balance(7));
    assertThat(account.evolved).containsExactly(1L);
  }

  @Test
  void P1_a_lost_snapshot_changes_no_result() {
    var snapshotting = snapshotting();
    for (int i = 0; i < 7; i++) {
      snapshotting.handle("42", 1L);
    }
    storage.snapshots().delete(STREAM);
    assertThat(snapshotting.load("42").state()).isEqualTo(new Balance(7));
  }

  @Test
  void P1_an_unreadable_snapshot_changes_no_result() {
    handler.handle("42", 1L);
    storage
        .snapshots()
        .save(new Snapshot(STREAM, "balance-1", 1, Payload.ofUtf8("{\"amount\":\"?\"}")));
    assertThat(snapshotting().load("42").state()).isEqualTo(new Balance(1));
  }

  @Test
  void P1_a_snapshot_that_is_newer_than_its_stream_changes_no_result() {
    handler.handle("42", 1L);
    storage
        .snapshots()
        .save(new Snapshot(STREAM, "balance-1", 2, Payload.ofUtf8("{\"amount\":99}")));
    assertThat(snapshotting().load("42").state()).isEqualTo(new Balance(1));
    assertThat(snapshotting().handle("42", 1L).version()).isEqualTo(2);
  }

  /** A storage whose snapshots can't be loaded. */
  private static final class WithoutSnapshots extends SubscriptionsTest.Faulty
      implements SnapshotStore {

    private final RuntimeException reason;

    WithoutSnapshots(Storage storage, RuntimeException reason) {
      super(storage);
      this.reason = reason;
    }

    @Override
    public SnapshotStore snapshots() {
      return this;
    }

    @Override
    public Optional<Snapshot> load(StreamId stream, String schema) {
      throw reason;
    }

    @Override
    public void save(Snapshot snapshot) {
      throw reason;
    }

    @Override
    public void delete(StreamId stream) {
      throw reason;
    }
  }

  private CommandHandler<Long, Balance, Moved> withoutSnapshots(RuntimeException reason) {
    return CommandHandler.builder(
            new WithoutSnapshots(storage, reason), codec, "account", Moved.class, account)
        .snapshots(new SnapshotPolicy<>("balance-1", Balance.class, 1))
        .build();
  }

  @Test
  void P1_a_snapshot_that_can_not_be_loaded_or_saved_changes_no_result() {
    var broken = withoutSnapshots(new IllegalStateException("a bug of the snapshots' store"));
    assertThat(broken.handle("42", 1L).state()).isEqualTo(new Balance(1));
    assertThat(broken.handle("42", 1L).state()).isEqualTo(new Balance(2));
  }

  @Test
  void an_outage_is_reported_at_once_instead_of_also_being_waited_for_by_the_events() {
    var outage = new StoreUnavailableException("no connection in time", new RuntimeException());
    assertThatThrownBy(() -> withoutSnapshots(outage).handle("42", 1L)).isSameAs(outage);
    assertThat(stored()).isEmpty();
  }

  // ---- aggregates as classes

  static final class Purse extends AggregateRoot<Moved> {
    private long amount;

    @Override
    protected void apply(Moved event) {
      amount += event.amount();
    }

    void put(long more) {
      raise(new Moved(more));
    }

    void take(long less) {
      if (less > amount) {
        throw new IllegalStateException("there are only " + amount);
      }
      raise(new Moved(-less));
    }
  }

  @Test
  void an_aggregate_in_the_style_of_classes_runs_on_the_same_loop() {
    var purses =
        CommandHandler.builder(
                storage, codec, "purse", Moved.class, AggregateDecider.of(Purse::new))
            .build();
    purses.handle("1", purse -> purse.put(10));
    var result =
        purses.handle(
            "1",
            purse -> {
              purse.take(4);
              purse.take(5);
            });
    assertThat(result.events()).containsExactly(new Moved(-4), new Moved(-5));
    assertThat(result.version()).isEqualTo(3);
    assertThat(result.state().aggregate().amount).isEqualTo(1);
    assertThatThrownBy(() -> purses.handle("1", purse -> purse.take(2)))
        .hasMessage("there are only 1");
    assertThat(purses.load("1").version()).isEqualTo(3);
  }

  @Test
  void a_method_that_met_a_conflict_starts_anew_on_a_fresh_instance() {
    var purses =
        CommandHandler.builder(
                storage, codec, "purse", Moved.class, AggregateDecider.of(Purse::new))
            .build();
    purses.handle("1", purse -> purse.put(10));
    List<Long> seen = new ArrayList<>();
    var result =
        purses.handle(
            "1",
            purse -> {
              seen.add(purse.amount);
              purse.take(1);
              if (seen.size() == 1) {
                purses.handle("1", other -> other.put(5));
              }
            });
    assertThat(seen).containsExactly(10L, 15L);
    assertThat(result.conflicts()).isEqualTo(1);
    assertThat(result.state().aggregate().amount).isEqualTo(14);
  }

  @Test
  @SuppressWarnings("unchecked")
  void snapshots_of_an_aggregate_in_the_style_of_classes_are_refused() {
    var history =
        (Class<AggregateDecider.History<Purse, Moved>>) (Class<?>) AggregateDecider.History.class;
    var purses =
        CommandHandler.builder(
                storage, codec, "purse", Moved.class, AggregateDecider.<Purse, Moved>of(Purse::new))
            .snapshots(new SnapshotPolicy<>("purse-1", history, 3));
    assertThatThrownBy(purses::build)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'purse'")
        .hasMessageContaining("Decider");
  }

  private CommandHandler<Long, Balance, Moved> snapshotting() {
    return builder(account).snapshots(new SnapshotPolicy<>("balance-1", Balance.class, 3)).build();
  }

  private CommandHandler.Builder<Long, Balance, Moved> builder(Account decider) {
    return CommandHandler.builder(storage, codec, "account", Moved.class, decider).retries(AT_ONCE);
  }

  private List<RecordedEvent> stored() {
    return storage.eventStore().read(STREAM, StreamRange.forwards(1, 1_000));
  }
}
