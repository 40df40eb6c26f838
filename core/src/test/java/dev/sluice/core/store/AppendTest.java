package dev.sluice.core.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class AppendTest {

  private static final StreamId STREAM = StreamId.of("account", "42");
  private static final StreamId OTHER = StreamId.of("account", "43");

  private final NewEvent first = event(EventIds.next());
  private final NewEvent second = event(EventIds.next());
  private final Append append = new Append(STREAM, ExpectedVersion.any(), List.of(first, second));

  @Test
  void refusesAnAppendWithoutEvents() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Append(STREAM, ExpectedVersion.any(), List.of()))
        .withMessageContaining("account-42")
        .withMessageContaining("at least one");
  }

  @Test
  void refusesAnIdThatIsTwiceInOneAppend() {
    assertThatThrownBy(() -> new Append(STREAM, ExpectedVersion.any(), List.of(first, first)))
        .isInstanceOf(DuplicateEventException.class)
        .hasMessageContaining(first.id().toString())
        .hasMessageContaining("twice");
  }

  @Test
  void refusesMoreEventsThanAPositionCanCount() {
    List<NewEvent> tooMany = Collections.nCopies(Append.MAX_EVENTS + 1, first);
    assertThatThrownBy(
            () ->
                new Append(
                    STREAM,
                    ExpectedVersion.any(),
                    tooMany.stream().map(event -> event(EventIds.next())).toList()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("65536 events")
        .hasMessageContaining("split");
  }

  @Test
  void isNoRepetitionWhereNoIdIsStored() {
    assertThat(append.repeatOf(List.of())).isEmpty();
  }

  @Test
  void recognisesItsOwnRepetitionInAnyOrder() {
    assertThat(append.repeatOf(List.of(stored(second, STREAM, 8), stored(first, STREAM, 7))))
        .contains(new AppendResult(7, 8, new Position(80)));
  }

  @Test
  void refusesIdsThatAreStoredOtherwise() {
    assertRefused(List.of(stored(first, STREAM, 7)));
    assertRefused(List.of(stored(first, OTHER, 7), stored(second, OTHER, 8)));
    assertRefused(List.of(stored(second, STREAM, 7), stored(first, STREAM, 8)));
    assertRefused(List.of(stored(first, STREAM, 7), stored(second, STREAM, 9)));
    assertRefused(List.of(stored(first, STREAM, 7), stored(second, OTHER, 8)));
  }

  @Test
  void tellsAFailedNoStreamFromOtherConflicts() {
    var noStream = new Append(STREAM, ExpectedVersion.noStream(), List.of(first));
    assertThat(noStream.conflict(3)).isExactlyInstanceOf(StreamAlreadyExistsException.class);
    var exactly = new Append(STREAM, ExpectedVersion.exactly(2), List.of(first));
    VersionConflictException conflict = exactly.conflict(3);
    assertThat(conflict).isExactlyInstanceOf(VersionConflictException.class);
    assertThat(conflict.stream()).isEqualTo(STREAM);
    assertThat(conflict.expected()).isEqualTo(ExpectedVersion.exactly(2));
    assertThat(conflict.actual()).isEqualTo(3);
    assertThat(conflict).hasMessageContaining("account-42").hasMessageContaining("version 3");
  }

  private void assertRefused(List<StoredEvent> stored) {
    assertThatThrownBy(() -> append.repeatOf(stored)).isInstanceOf(DuplicateEventException.class);
  }

  private static StoredEvent stored(NewEvent event, StreamId stream, long version) {
    return new StoredEvent(event.id(), stream, version, new Position(version * 10));
  }

  private static NewEvent event(UUID id) {
    return new NewEvent(
        id, "deposited", Instant.now(), Payload.ofUtf8("{}"), Payload.EMPTY, List.of());
  }
}
