package dev.sluice.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.store.Storage;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** How far readers have come: what U1 to U3 and the relays stand on. */
public abstract class CheckpointContract extends Contract {

  private static final String NAME = "view/balances";
  private static final List<String> NAMES_IN_NO_ORDER =
      List.of("b/2", "a_b", "a/1", "a%", "b/10", "A/1", "ab", "a.b", "a/2", "a\\b", "B/1");

  @Test
  void U1_a_checkpoint_comes_back_equal_also_after_a_restart() {
    Checkpoint first = Checkpoint.first(NAME, at(7), Payload.of(new byte[] {0, 1, -1}), 3L << 40);
    Checkpoint bare = Checkpoint.first("ключ 😀 %_", Position.START, Payload.EMPTY, 0);
    Checkpoint large = Checkpoint.first("large", at(1), Payload.ofUtf8("x".repeat(100_000)), 0);
    checkpoints().save(first);
    checkpoints().save(bare);
    checkpoints().save(large);
    assertEquals(Optional.of(first), checkpoints().load(NAME), "U1: what was saved");
    assertEquals(
        Optional.of(first), open().checkpoints().load(NAME), "U1: also for another instance");
    restart();
    assertEquals(Optional.of(first), checkpoints().load(NAME), "U1: after a restart");
    assertEquals(Optional.of(bare), checkpoints().load(bare.name()), "U1: after a restart");
    assertEquals(Optional.of(large), checkpoints().load("large"), "U1: after a restart");
  }

  @Test
  void U1_names_of_the_greatest_length_are_kept_apart() {
    String name = "x".repeat(Checkpoint.MAX_NAME_LENGTH - 1);
    for (String end : List.of("1", "2")) {
      checkpoints().save(Checkpoint.first(name + end, at(1), Payload.ofUtf8(end), 0));
    }
    for (String end : List.of("1", "2")) {
      assertEquals(
          Optional.of(Checkpoint.first(name + end, at(1), Payload.ofUtf8(end), 0)),
          checkpoints().load(name + end),
          "U1: the checkpoint of a name of 200 chars");
    }
    assertEquals(List.of(name + "1", name + "2"), names(name), "U1: in the list, too");
  }

  @Test
  void U1_what_another_instance_saves_or_deletes_is_seen() {
    CheckpointStore other = open().checkpoints();
    assertEquals(Optional.empty(), other.load(NAME), "U1: not saved yet");
    Checkpoint first = saveFirst(at(1), 0);
    assertEquals(Optional.of(first), other.load(NAME), "U1: saved by another instance");
    Checkpoint next = first.next(at(2), Payload.ofUtf8("next"), 0);
    checkpoints().save(next);
    assertEquals(Optional.of(next), other.load(NAME), "U1: and once more");
    assertEquals(List.of(next), other.list(NAME), "U1: in the list, too");
    checkpoints().delete(NAME);
    assertEquals(Optional.empty(), other.load(NAME), "U1: deleted by another instance");
  }

  @Test
  void U1_an_unknown_checkpoint_is_absent() {
    checkpoints().save(Checkpoint.first(NAME + "/2", at(1), Payload.EMPTY, 0));
    assertEquals(Optional.empty(), checkpoints().load(NAME), "U1: never saved");
  }

  @Test
  void U1_a_checkpoint_that_follows_is_saved() {
    Checkpoint current = saveFirst(at(1), 0);
    for (int i = 2; i < 6; i++) {
      current = current.next(at(i), Payload.ofUtf8("state " + i), i);
      checkpoints().save(current);
      assertEquals(Optional.of(current), checkpoints().load(NAME), "U1: the next one");
    }
    Checkpoint samePlace = current.next(current.position(), Payload.ofUtf8("moved"), 5);
    checkpoints().save(samePlace);
    assertEquals(
        Optional.of(samePlace), checkpoints().load(NAME), "U1: new state at the same position");
  }

  @Test
  void U1_a_checkpoint_never_goes_backwards() {
    Checkpoint first = saveFirst(at(5), 0);
    assertRefused(first.next(at(4), Payload.EMPTY, 0), first);
    assertRefused(first.next(Position.START, Payload.EMPTY, 0), first);
    assertRefused(first.next(at(4), Payload.EMPTY, 9), first);
  }

  @Test
  void U3_a_checkpoint_of_a_wrong_revision_is_refused() {
    Checkpoint first = saveFirst(at(1), 0);
    Checkpoint second = first.next(at(2), Payload.EMPTY, 0);
    checkpoints().save(second);
    assertRefused(first.next(at(3), Payload.ofUtf8("too low"), 0), second);
    assertRefused(second.next(at(3), Payload.EMPTY, 0).next(at(4), Payload.EMPTY, 0), second);
    assertRefused(Checkpoint.first(NAME, at(9), Payload.EMPTY, 0), second);
    assertRefused(second, second);
    assertRefused(first.next(at(3), Payload.ofUtf8("too low, of a newer owner"), 9), second);
    assertRefused(new Checkpoint(NAME, at(3), Payload.ofUtf8("too high"), 9, 4), second);
  }

  @Test
  void U3_a_first_checkpoint_has_revision_1() {
    saveFirst(at(1), 0);
    Checkpoint unknown = new Checkpoint("view/unknown", at(2), Payload.EMPTY, 0, 2);
    assertThrows(
        CheckpointConflictException.class,
        () -> checkpoints().save(unknown),
        "U3: revision 2 follows nothing");
    assertEquals(Optional.empty(), checkpoints().load(unknown.name()), "U3: nothing was saved");
  }

  @Test
  void U3_a_stale_owner_can_not_save_over_its_successor() {
    Checkpoint first = saveFirst(at(1), 4);
    Checkpoint successor = first.next(at(2), Payload.ofUtf8("successor"), 5);
    checkpoints().save(successor);
    assertRefused(successor.next(at(3), Payload.ofUtf8("stale"), 4), successor);
    Checkpoint next = successor.next(at(3), Payload.ofUtf8("owner"), 5);
    checkpoints().save(next);
    assertEquals(Optional.of(next), checkpoints().load(NAME), "U3: the owner goes on");
  }

  @Test
  void U3_of_concurrent_saves_of_the_next_checkpoint_exactly_one_wins() {
    List<Storage> both = List.of(storage, open());
    Checkpoint current = saveFirst(at(1), 0);
    for (int round = 2; round < 22; round++) {
      Checkpoint before = current;
      Position next = at(round);
      List<Outcome<Checkpoint>> outcomes =
          Race.of(
              6,
              i ->
                  () -> {
                    Checkpoint mine = before.next(next, Payload.ofUtf8("by " + i), 0);
                    both.get(i % 2).checkpoints().save(mine);
                    return mine;
                  });
      List<Checkpoint> winners = Race.winners(outcomes);
      assertEquals(1, winners.size(), () -> "U3: winners among " + outcomes);
      for (Throwable failure : Race.failures(outcomes)) {
        assertInstanceOf(CheckpointConflictException.class, failure, "U3: what a loser is told");
      }
      current = winners.getFirst();
      assertEquals(Optional.of(current), checkpoints().load(NAME), "U3: saved is the winner's");
    }
  }

  @Test
  void U3_of_concurrent_first_saves_exactly_one_wins() {
    List<Storage> both = List.of(storage, open());
    for (int round = 0; round < 10; round++) {
      String name = "view/new-" + round;
      List<Outcome<Checkpoint>> outcomes =
          Race.of(
              6,
              i ->
                  () -> {
                    Checkpoint mine = Checkpoint.first(name, at(1), Payload.ofUtf8("by " + i), 0);
                    both.get(i % 2).checkpoints().save(mine);
                    return mine;
                  });
      List<Checkpoint> winners = Race.winners(outcomes);
      assertEquals(1, winners.size(), () -> "U3: winners among " + outcomes);
      for (Throwable failure : Race.failures(outcomes)) {
        assertInstanceOf(CheckpointConflictException.class, failure, "U3: what a loser is told");
      }
      assertEquals(
          Optional.of(winners.getFirst()), checkpoints().load(name), "U3: saved is the winner's");
    }
  }

  @Test
  void U3_checkpoints_are_listed_by_prefix_in_order_of_names() {
    for (String name : NAMES_IN_NO_ORDER) {
      checkpoints().save(Checkpoint.first(name, at(1), Payload.ofUtf8(name), 0));
    }
    assertEquals(List.of("a/1", "a/2"), names("a/"), "U3: by prefix");
    assertEquals(List.of("a_b"), names("a_"), "U3: '_' stands for itself");
    assertEquals(List.of("a%"), names("a%"), "U3: '%' stands for itself");
    assertEquals(List.of("b/10", "b/2"), names("b"), "U3: in order of names, as text");
    assertEquals(List.of(), names("c"), "U3: nothing");
    assertEquals(List.of("a.b"), names("a."), "U3: '.' stands for itself");
    assertEquals(List.of("a\\b"), names("a\\"), "U3: '\\' stands for itself");
    assertEquals(
        NAMES_IN_NO_ORDER.stream().sorted().toList(), names(""), "U3: all, in no locale's order");
    assertEquals(
        "a/1", checkpoints().list("a/").getFirst().state().toUtf8(), "U3: with all that was saved");
  }

  @Test
  void U5_a_deleted_checkpoint_is_absent_and_begins_anew() {
    saveFirst(at(5), 7);
    checkpoints().save(Checkpoint.first("view/other", at(1), Payload.EMPTY, 0));
    checkpoints().save(Checkpoint.first(NAME + "/2", at(1), Payload.EMPTY, 0));
    checkpoints().delete(NAME);
    checkpoints().delete(NAME);
    assertEquals(Optional.empty(), checkpoints().load(NAME), "U5: deleted");
    assertEquals(List.of(NAME + "/2", "view/other"), names("view/"), "U5: others stay");
    Checkpoint anew = saveFirst(at(1), 0);
    assertEquals(Optional.of(anew), checkpoints().load(NAME), "U5: begun anew");
  }

  private CheckpointStore checkpoints() {
    return storage.checkpoints();
  }

  private List<String> names(String prefix) {
    return checkpoints().list(prefix).stream().map(Checkpoint::name).toList();
  }

  private Checkpoint saveFirst(Position position, long token) {
    Checkpoint first = Checkpoint.first(NAME, position, Payload.ofUtf8("first"), token);
    checkpoints().save(first);
    return first;
  }

  private void assertRefused(Checkpoint refused, Checkpoint stored) {
    assertThrows(
        CheckpointConflictException.class,
        () -> checkpoints().save(refused),
        () -> "U3: " + refused + " does not follow " + stored);
    assertEquals(
        Optional.of(stored), checkpoints().load(NAME), "U3: a refused save changes nothing");
  }

  private static Position at(long number) {
    return new Position(number << 40);
  }
}
