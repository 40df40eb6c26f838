package dev.sluice.core.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.adapter.inmemory.HeldAppend;
import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.subscription.Partition;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What one owner of a partition leaves to the next one. */
class DeadlinesTest {

  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final Instant AT = Instant.parse("2100-01-01T00:00:00Z");
  private static final String PLAIN = "plain";
  private static final String WAITING = "waiting";
  private static final String BROKEN = "broken";

  private final InMemoryStorage storage = InMemoryStorage.create();
  private final List<RecordedEvent> reached = new ArrayList<>();
  private boolean mended;

  @Test
  void theMarkFollowsAlsoWhereThereAreNoDeadlines() {
    Position last = append(PLAIN, 3);
    begin(last);
    assertThat(mark()).isEqualTo(last);
  }

  @Test
  void theMarkWaitsForADeadlineAndForWhatIsParked() {
    Position first = append(PLAIN, 1);
    Deadlines<DomainEvent, String> deadlines = begin(first);
    Position parked = append(WAITING, 1);
    Position last = append(PLAIN, 1);
    deadlines.moved();
    deadlines.onTime(Instant.now().plusSeconds(120), last, first);
    assertThat(mark()).as("the parked one has set nothing yet").isEqualTo(first);
    deadlines.add(log().get(1), actions(log().get(1)));
    deadlines.moved();
    deadlines.onTime(Instant.now().plusSeconds(120), last, last);
    assertThat(parked.isAfter(mark())).as("it has set a deadline").isTrue();
    assertThat(begin(last).nextTime()).isEqualTo(AT);
  }

  @Test
  void theMarkWaitsForAnEventThatCanNotBeAskedForItsDeadlines() {
    append(BROKEN, 1);
    Position last = append(WAITING, 1);
    assertThat(begin(last).nextTime()).as("the others are found").isEqualTo(AT);
    mended = true;
    Deadlines<DomainEvent, String> next = begin(last);
    next.onTime(AT, last, last);
    assertThat(reached).extracting(RecordedEvent::type).containsExactly(BROKEN, WAITING);
  }

  @Test
  void theLogIsSearchedInPartsBetweenWhichAStopIsSeen() {
    append(PLAIN, 700);
    Position last = append(PLAIN, 500);
    Deadlines<DomainEvent, String> deadlines = deadlines();
    int parts = 0;
    for (; deadlines.nextTime().equals(Instant.MIN); parts++) {
      deadlines.onTime(NOW, last, last);
    }
    assertThat(parts).as("64, 256, and what is left in two").isEqualTo(4);
  }

  @Test
  void theSearchGoesOnUntilItHasSeenAllThatAnEarlierOwnerHasPassed() {
    Position first = append(PLAIN, 1);
    // Here the log ends before it, although an earlier owner, elsewhere, has passed what is behind.
    HeldAppend open = hold();
    Position passed = append(WAITING, 1);
    Deadlines<DomainEvent, String> deadlines = deadlines();
    // As if an event before it were parked: that is no reason to search less.
    deadlines.onTime(NOW, passed, first);
    deadlines.onTime(NOW, passed, first);
    Instant again = deadlines.nextTime();
    assertThat(again).as("it searches again, after a pause").isBetween(NOW.plusMillis(1), AT);
    assertThat(storage.checkpoints().list("process-deadlines/")).as("the mark waits").isEmpty();
    open.rollBack();
    while (deadlines.nextTime().isBefore(AT)) {
      deadlines.onTime(again, passed, passed);
    }
    deadlines.onTime(AT, passed, passed);
    assertThat(reached).extracting(RecordedEvent::type).containsExactly(WAITING);
  }

  @Test
  void whatIsDueMeanwhileDoesNotWaitForTheSearch() {
    append(WAITING, 1);
    HeldAppend open = hold();
    Position passed = append(WAITING, 1);
    Deadlines<DomainEvent, String> deadlines = deadlines();
    deadlines.onTime(AT, passed, passed);
    deadlines.onTime(AT, passed, passed);
    assertThat(reached).extracting(RecordedEvent::version).containsExactly(1L);
    open.rollBack();
  }

  private HeldAppend hold() {
    return storage
        .schedule()
        .hold(
            new Append(
                StreamId.of("other", "1"),
                ExpectedVersion.any(),
                List.of(
                    new NewEvent(
                        EventIds.next(), PLAIN, NOW, Payload.EMPTY, Payload.EMPTY, List.of()))));
  }

  private Deadlines<DomainEvent, String> begin(Position complete) {
    Deadlines<DomainEvent, String> deadlines = deadlines();
    while (!deadlines.nextTime().isAfter(NOW)) {
      deadlines.onTime(NOW, complete, complete);
    }
    return deadlines;
  }

  private Deadlines<DomainEvent, String> deadlines() {
    return new Deadlines<>(
        storage,
        "process",
        new Partition(0, 1),
        this::actions,
        (event, index, deadline) -> reached.add(event));
  }

  private List<ProcessAction<DomainEvent, String>> actions(RecordedEvent event) {
    if (event.type().equals(BROKEN) && !mended) {
      throw new IllegalStateException("a bug");
    }
    return event.type().equals(PLAIN)
        ? List.of()
        : List.of(new ProcessAction.Deadline<>(AT, state -> List.of()));
  }

  private Position mark() {
    return storage
        .checkpoints()
        .load("process-deadlines/process/0")
        .map(Checkpoint::position)
        .orElseThrow();
  }

  private List<RecordedEvent> log() {
    return storage.eventStore().readFrom(StreamId.of("process", "1"), 1).toList();
  }

  private Position append(String type, int count) {
    return storage
        .eventStore()
        .append(
            StreamId.of("process", "1"),
            ExpectedVersion.any(),
            IntStream.range(0, count)
                .mapToObj(
                    i ->
                        new NewEvent(
                            EventIds.next(), type, NOW, Payload.EMPTY, Payload.EMPTY, List.of()))
                .toList())
        .position();
  }
}
