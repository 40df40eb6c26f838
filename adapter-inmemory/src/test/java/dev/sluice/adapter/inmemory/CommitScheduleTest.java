package dev.sluice.adapter.inmemory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/**
 * What each part of the schedule does to a projection or a caller that is written without much
 * thought, and that one that is written with care comes through.
 */
class CommitScheduleTest {

  private static final StreamId ANNA = StreamId.of("account", "anna");
  private static final StreamId BRUNO = StreamId.of("account", "bruno");

  private final InMemoryStorage storage = InMemoryStorage.create();

  @Test
  void aLateCommitIsMissedByAViewThatFollowsItsOwnAppends() {
    Total naive = new Total();
    Total right = new Total();
    HeldAppend late = storage.schedule().hold(deposit(ANNA, 40));

    Position mine = storage.eventStore().append(deposit(BRUNO, 2)).position();
    naive.readOn(storage);
    naive.cursor = mine; // "I have just appended it, so I know how far I am"
    right.readOn(storage);
    late.commit();
    naive.readOn(storage);
    right.readOn(storage);

    assertThat(naive.francs).as("the late deposit lies before the cursor").isZero();
    assertThat(right.francs).isEqualTo(42);
  }

  @Test
  void aHoleStopsAViewThatTakesPositionsForNumbers() {
    HeldAppend never = storage.schedule().hold(deposit(ANNA, 1_000));
    storage.eventStore().append(deposit(BRUNO, 42));
    Total blocked = new Total();
    blocked.readOn(storage);
    assertThat(blocked.francs).as("an open append hides what began later").isZero();
    never.rollBack();

    Total right = new Total();
    right.readOn(storage);
    assertThat(right.francs).as("readable at once").isEqualTo(42);

    List<RecordedEvent> log =
        storage.globalLog().read(Position.START, EventFilter.ALL, 10).events();
    Position first = log.getFirst().position();
    storage.schedule().hold(deposit(ANNA, 1_000)).rollBack();
    storage.eventStore().append(deposit(BRUNO, 1));
    Position naiveNext = new Position(first.value() + 1);
    Position rightNext =
        storage.globalLog().read(first, EventFilter.ALL, 1).events().getFirst().position();
    assertThat(rightNext).as("nobody gets the place that was rolled back").isNotEqualTo(naiveNext);
    right.readOn(storage);
    assertThat(right.francs).isEqualTo(43);
  }

  @Test
  void aFailedAppendIsStillShownByAViewThatIsChangedBesideIt() {
    storage.schedule().failAppends(1);
    Append append = deposit(ANNA, 42);
    Total naive = new Total();
    naive.francs += 42; // "the event follows in a moment"
    assertThatThrownBy(() -> storage.eventStore().append(append))
        .isInstanceOf(StoreUnavailableException.class);

    Total right = new Total();
    right.readOn(storage);
    assertThat(naive.francs).as("money that nobody has").isEqualTo(42);
    assertThat(right.francs).isZero();
    assertThat(storage.eventStore().append(append).version()).as("repeated").isEqualTo(1);
    right.readOn(storage);
    assertThat(right.francs).isEqualTo(42);
  }

  @Test
  void aLostReplyIsAppendedTwiceByACallerThatMakesNewEvents() {
    storage.schedule().loseReplies(1);
    assertThatThrownBy(() -> storage.eventStore().append(deposit(ANNA, 42)))
        .isInstanceOf(StoreUnavailableException.class);
    storage.eventStore().append(deposit(ANNA, 42)); // a new id: the store can't know
    assertThat(storage.eventStore().readFrom(ANNA, 1)).as("deposited twice").hasSize(2);

    Append same = deposit(BRUNO, 42);
    storage.schedule().loseReplies(1);
    assertThatThrownBy(() -> storage.eventStore().append(same))
        .isInstanceOf(StoreUnavailableException.class);
    assertThat(storage.eventStore().append(same).version()).isEqualTo(1);
    assertThat(storage.eventStore().readFrom(BRUNO, 1)).as("deposited once").hasSize(1);
  }

  @Test
  void aLostCheckpointIsCountedTwiceByAViewThatDoesNotLookAtPositions() {
    // README: schedule
    storage.eventStore().append(deposit(ANNA, 40));
    storage.eventStore().append(deposit(BRUNO, 2));
    Total naive = new Total();
    Total careful = new CarefulTotal();

    storage.schedule().loseCheckpoints(1);
    assertThatThrownBy(() -> follow(storage, naive, careful)) // dies before its checkpoint
        .isInstanceOf(StoreUnavailableException.class);
    follow(storage, naive, careful); // started again, it gets the events once more

    assertThat(naive.francs).isEqualTo(84); // it added whatever came
    assertThat(careful.francs).isEqualTo(42); // it passed over what it had seen
    // README: end
  }

  @Test
  void theReadmeShowsThisTest() throws IOException {
    String readme = Files.readString(Path.of("README.md"));
    String test =
        Files.readString(
            Path.of("src/test/java", getClass().getName().replace('.', '/') + ".java"));
    String begin = "    // README: schedule\n";
    String code =
        test.substring(test.indexOf(begin) + begin.length(), test.indexOf("    // README: end\n"))
            .indent(-4);
    assertThat(readme).contains("```java\n" + code + "```");
  }

  @Test
  void whatWasHeldEndsOnce() {
    HeldAppend held = storage.schedule().hold(deposit(ANNA, 1));
    held.rollBack();
    assertThatThrownBy(held::commit).isInstanceOf(IllegalStateException.class);
    assertThat(storage.eventStore().readFrom(ANNA, 1)).isEmpty();
  }

  /** A view in memory that adds whatever comes. */
  private static class Total {

    long francs;
    Position cursor = Position.START;

    void handle(RecordedEvent event) {
      francs += Long.parseLong(event.data().toUtf8());
    }

    void readOn(Storage from) {
      LogPage page = from.globalLog().read(cursor, EventFilter.ALL, 100);
      page.events().forEach(this::handle);
      cursor = page.next();
    }
  }

  /** Remembers what it was last changed by, and passes over what comes again. */
  private static final class CarefulTotal extends Total {

    private Position last = Position.START;

    @Override
    void handle(RecordedEvent event) {
      if (event.position().isAfter(last)) {
        super.handle(event);
        last = event.position();
      }
    }
  }

  /** Hands out what lies behind the checkpoint, then saves how far it is. */
  private static void follow(Storage storage, Total... views) {
    Optional<Checkpoint> saved = storage.checkpoints().load("totals");
    Position after = saved.map(Checkpoint::position).orElse(Position.START);
    LogPage page = storage.globalLog().read(after, EventFilter.ALL, 100);
    for (Total view : views) {
      page.events().forEach(view::handle);
    }
    storage
        .checkpoints()
        .save(
            saved
                .map(c -> c.next(page.next(), Payload.EMPTY, 0))
                .orElse(Checkpoint.first("totals", page.next(), Payload.EMPTY, 0)));
  }

  private static Append deposit(StreamId account, long francs) {
    UUID id = EventIds.next();
    NewEvent event =
        new NewEvent(
            id, "deposited", Instant.now(), Payload.ofUtf8("" + francs), Payload.EMPTY, List.of());
    return new Append(account, ExpectedVersion.any(), List.of(event));
  }
}
