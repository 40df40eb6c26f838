package dev.sluice.core.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class LogPageTest {

  private static final Position HEAD = new Position(9);

  @Test
  void endsAtTheHeadWhereNoMoreWasFoundThanAskedFor() {
    assertThat(LogPage.of(Position.START, HEAD, List.of(at(1), at(2)), 2))
        .extracting(LogPage::next, LogPage::more)
        .containsExactly(HEAD, false);
  }

  @Test
  void endsWithItsLastEventWhereOneMoreWasFound() {
    List<RecordedEvent> found = List.of(at(1), at(2), at(3));
    assertThat(LogPage.of(Position.START, HEAD, found, 2))
        .isEqualTo(new LogPage(found.subList(0, 2), new Position(2), true));
  }

  @Test
  void neverGoesBack() {
    assertThat(LogPage.of(new Position(12), HEAD, List.of(), 2).next()).isEqualTo(new Position(12));
  }

  private static RecordedEvent at(long number) {
    return new RecordedEvent(
        EventIds.next(),
        StreamId.of("account", "42"),
        number,
        new Position(number),
        "deposited",
        Instant.EPOCH,
        Payload.EMPTY,
        Payload.EMPTY);
  }
}
