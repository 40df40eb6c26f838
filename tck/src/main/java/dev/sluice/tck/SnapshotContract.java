package dev.sluice.tck;

import static dev.sluice.tck.Given.OTHER;
import static dev.sluice.tck.Given.STREAM;
import static dev.sluice.tck.Given.THIRD;
import static dev.sluice.tck.Given.event;
import static dev.sluice.tck.Given.events;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.aggregate.Loaded;
import dev.sluice.core.aggregate.SnapshotPolicy;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.SerializationException;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.SnapshotStore;
import dev.sluice.core.store.VersionConflictException;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Snapshots, none of which ever changes a result: P1. */
public abstract class SnapshotContract extends Contract {

  @Test
  void P1_a_snapshot_comes_back_equal_also_after_a_restart() {
    Snapshot snapshot = new Snapshot(STREAM, "v1", 3L << 40, Payload.of(new byte[] {0, 1, -1}));
    Snapshot empty = new Snapshot(OTHER, "v1", 1, Payload.EMPTY);
    Snapshot large = new Snapshot(THIRD, "v1", 1, Payload.ofUtf8("x".repeat(100_000)));
    snapshots().save(snapshot);
    snapshots().save(empty);
    snapshots().save(large);
    assertEquals(Optional.of(snapshot), snapshots().load(STREAM, "v1"), "P1: what was saved");
    assertEquals(
        Optional.of(snapshot), open().snapshots().load(STREAM, "v1"), "P1: for another instance");
    restart();
    assertEquals(Optional.of(snapshot), snapshots().load(STREAM, "v1"), "P1: after a restart");
    assertEquals(Optional.of(empty), snapshots().load(OTHER, "v1"), "P1: after a restart");
    assertEquals(Optional.of(large), snapshots().load(THIRD, "v1"), "P1: after a restart");
  }

  @Test
  void P1_a_snapshot_takes_the_place_of_an_earlier_one() {
    snapshots().save(new Snapshot(STREAM, "v1", 3, Payload.ofUtf8("three")));
    Snapshot later = new Snapshot(STREAM, "v1", 6, Payload.ofUtf8("six"));
    snapshots().save(later);
    assertEquals(Optional.of(later), snapshots().load(STREAM, "v1"), "P1: the later one");
  }

  @Test
  void P1_snapshots_are_kept_apart_by_stream_and_schema() {
    List<StreamId> streams =
        List.of(STREAM, OTHER, StreamId.of("account", "4"), StreamId.of("Account", "42"));
    for (StreamId stream : streams) {
      for (String schema : List.of("v1", "v2", "V1")) {
        snapshots().save(new Snapshot(stream, schema, 1, Payload.ofUtf8(stream + schema)));
      }
    }
    for (StreamId stream : streams) {
      for (String schema : List.of("v1", "v2", "V1")) {
        assertEquals(
            Optional.of(new Snapshot(stream, schema, 1, Payload.ofUtf8(stream + schema))),
            snapshots().load(stream, schema),
            () -> "P1: the snapshot of " + stream + " in " + schema);
      }
    }
    assertEquals(Optional.empty(), snapshots().load(STREAM, "v3"), "P1: an unknown schema");
  }

  @Test
  void P1_deleted_snapshots_are_absent_and_others_stay() {
    snapshots().save(new Snapshot(STREAM, "v1", 1, Payload.ofUtf8("a")));
    snapshots().save(new Snapshot(STREAM, "v2", 1, Payload.ofUtf8("b")));
    Snapshot other = new Snapshot(OTHER, "v1", 1, Payload.ofUtf8("c"));
    snapshots().save(other);
    Snapshot alike = new Snapshot(StreamId.of("account", "421"), "v1", 1, Payload.ofUtf8("d"));
    snapshots().save(alike);
    snapshots().delete(STREAM);
    snapshots().delete(STREAM);
    assertEquals(Optional.empty(), snapshots().load(STREAM, "v1"), "P1: deleted in each schema");
    assertEquals(Optional.empty(), snapshots().load(STREAM, "v2"), "P1: deleted in each schema");
    assertEquals(Optional.of(other), snapshots().load(OTHER, "v1"), "P1: another stream's stays");
    assertEquals(
        Optional.of(alike), snapshots().load(alike.stream(), "v1"), "P1: also one named alike");
  }

  @Test
  void P1_an_append_or_a_conflict_never_touches_a_snapshot() {
    append(STREAM, events("e", 3));
    Snapshot snapshot = new Snapshot(STREAM, "v1", 3, Payload.ofUtf8("three"));
    snapshots().save(snapshot);
    append(STREAM, event("more"));
    assertThrows(
        VersionConflictException.class,
        () -> append(STREAM, ExpectedVersion.exactly(3), event("refused")),
        "S3: exactly 3 is not met by a stream with 4 events");
    assertEquals(Optional.of(snapshot), snapshots().load(STREAM, "v1"), "P1: as it was saved");
  }

  @Test
  void P1_a_lost_snapshot_changes_no_result() {
    CommandHandler<Integer, Integer, Added> handler = countTo(7);
    snapshots().delete(StreamId.of("sum", "s"));
    assertSum(handler, 7);
  }

  @Test
  void P1_a_stale_snapshot_changes_no_result() {
    CommandHandler<Integer, Integer, Added> handler = countTo(7);
    snapshots().save(new Snapshot(StreamId.of("sum", "s"), "v1", 2, Payload.ofUtf8("2")));
    assertSum(handler, 7);
  }

  @Test
  void P1_an_unreadable_snapshot_changes_no_result() {
    CommandHandler<Integer, Integer, Added> handler = countTo(7);
    snapshots().save(new Snapshot(StreamId.of("sum", "s"), "v1", 6, Payload.ofUtf8("no number")));
    assertSum(handler, 7);
  }

  @Test
  void P1_a_snapshot_that_is_newer_than_its_stream_changes_no_result() {
    CommandHandler<Integer, Integer, Added> handler = countTo(7);
    snapshots().save(new Snapshot(StreamId.of("sum", "s"), "v1", 8, Payload.ofUtf8("8")));
    assertSum(handler, 7);
  }

  @Test
  void P1_a_snapshot_is_taken_and_used() {
    CommandHandler<Integer, Integer, Added> handler = countTo(7);
    StreamId stream = StreamId.of("sum", "s");
    assertEquals(
        Optional.of(new Snapshot(stream, "v1", 6, Payload.ofUtf8("6"))),
        snapshots().load(stream, "v1"),
        "P1: every third version");
    // A state that the events can't lead to shows that the snapshot is what was read.
    snapshots().save(new Snapshot(stream, "v1", 6, Payload.ofUtf8("1006")));
    assertEquals(1007, handler.load("s").state(), "P1: the snapshot and the events behind it");
  }

  record Added(int number) implements DomainEvent {}

  private CommandHandler<Integer, Integer, Added> countTo(int count) {
    CommandHandler<Integer, Integer, Added> handler =
        CommandHandler.builder(
                storage,
                EventCodec.of(
                    EventTypes.<DomainEvent>builder().add("added", Added.class).build(),
                    new Numbers()),
                "sum",
                Added.class,
                new Sum())
            .snapshots(new SnapshotPolicy<>("v1", Integer.class, 3))
            .build();
    for (int i = 0; i < count; i++) {
      handler.handle("s", 1);
    }
    return handler;
  }

  private static void assertSum(CommandHandler<Integer, Integer, Added> handler, int sum) {
    Loaded<Integer> loaded = handler.load("s");
    assertEquals(sum, loaded.state(), "P1: the state that was loaded");
    assertEquals(sum, loaded.version(), "P1: the version that was loaded");
    CommandResult<Integer, Added> result = handler.handle("s", 1);
    assertEquals(sum + 1, result.state(), "P1: the state after one command more");
    assertEquals(sum + 1, result.version(), "P1: the version after one command more");
    assertEquals(0, result.conflicts(), "P1: without a conflict");
  }

  private static final class Sum implements Decider<Integer, Integer, Added> {

    @Override
    public Integer initial() {
      return 0;
    }

    @Override
    public Integer evolve(Integer state, Added event) {
      return state + event.number();
    }

    @Override
    public List<Added> decide(Integer command, Integer state) {
      return List.of(new Added(command));
    }
  }

  /** Writes numbers as text, which is all that these tests need. */
  private static final class Numbers implements Serializer {

    @Override
    public Payload write(Object value) {
      return Payload.ofUtf8(value instanceof Added a ? "" + a.number() : value.toString());
    }

    @Override
    public <T> T read(Payload payload, Class<T> type) {
      try {
        Integer number = Integer.valueOf(payload.toUtf8());
        return type.cast(type == Added.class ? new Added(number) : number);
      } catch (NumberFormatException e) {
        throw new SerializationException("no number", e);
      }
    }
  }

  private SnapshotStore snapshots() {
    return storage.snapshots();
  }
}
