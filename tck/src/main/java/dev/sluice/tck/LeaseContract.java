package dev.sluice.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.store.Storage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Who may do what: L1 to L3. */
public abstract class LeaseContract extends Contract {

  private static final String NAME = "runner/balances";
  private static final Duration LONG = Duration.ofMinutes(5);
  private static final Duration SHORT = Duration.ofMillis(50);

  @Test
  void L1_a_free_lease_is_granted() {
    Lease lease = acquire("one", LONG);
    assertEquals(NAME, lease.name(), "L1: its name");
    assertEquals("one", lease.owner(), "L1: its owner");
    assertTrue(lease.token() >= 1, () -> "L3: a token of at least 1, seen " + lease.token());
  }

  @Test
  void L1_a_held_lease_is_refused_to_everybody_else() {
    acquire("one", LONG);
    LeaseStore other = open().leases();
    assertEquals(Optional.empty(), leases().acquire(NAME, "two", LONG), "L1: one holder");
    assertEquals(Optional.empty(), other.acquire(NAME, "two", LONG), "L1: by another instance");
    assertEquals(
        Optional.empty(), other.acquire(NAME, "one", LONG), "L1: also for an owner of that name");
    assertTrue(
        other.acquire(NAME + "/2", "two", LONG).isPresent(), "L1: another name is another lease");
  }

  @Test
  void L1_names_of_the_greatest_length_are_kept_apart() {
    String name = "x".repeat(Checkpoint.MAX_NAME_LENGTH - 1);
    for (String end : List.of("1", "2")) {
      assertTrue(
          leases().acquire(name + end, "owner", LONG).isPresent(),
          "L1: a name of 200 chars is another lease than one with another end");
    }
    assertEquals(List.of(name + "1", name + "2"), names(name), "L1: both are held");
  }

  @Test
  void L1_a_held_lease_survives_a_restart() {
    Lease lease = acquire("one", LONG);
    restart();
    assertEquals(Optional.empty(), leases().acquire(NAME, "two", LONG), "L1: still held");
    assertEquals(lease.token(), leases().renew(lease, LONG).token(), "L1: and may be renewed");
  }

  @Test
  void L1_of_concurrent_takers_exactly_one_gets_the_lease() {
    List<Storage> both = List.of(storage, open());
    long lastToken = 0;
    for (int round = 0; round < 20; round++) {
      List<Outcome<Optional<Lease>>> outcomes =
          Race.of(6, i -> () -> both.get(i % 2).leases().acquire(NAME, "owner " + i, LONG));
      assertEquals(List.of(), Race.failures(outcomes), "L1: who comes too late gets no exception");
      List<Lease> granted = Race.winners(outcomes).stream().flatMap(Optional::stream).toList();
      assertEquals(1, granted.size(), () -> "L1: holders among " + outcomes);
      Lease lease = granted.getFirst();
      long before = lastToken;
      assertTrue(
          lease.token() > before, () -> "L3: token " + lease.token() + " came after " + before);
      lastToken = lease.token();
      leases().release(lease);
    }
  }

  @Test
  void L1_of_concurrent_takers_of_an_expired_lease_exactly_one_gets_it() {
    List<Storage> both = List.of(storage, open());
    for (int round = 0; round < 10; round++) {
      String name = NAME + "/" + round;
      Lease expired = leases().acquire(name, "gone", SHORT).orElseThrow();
      Await.until(
          () -> leases().list(name).isEmpty(), () -> "L2: a lease of 50 ms does not expire");
      List<Outcome<Optional<Lease>>> outcomes =
          Race.of(6, i -> () -> both.get(i % 2).leases().acquire(name, "owner " + i, LONG));
      assertEquals(List.of(), Race.failures(outcomes), "L1: who comes too late gets no exception");
      List<Lease> granted = Race.winners(outcomes).stream().flatMap(Optional::stream).toList();
      assertEquals(1, granted.size(), () -> "L1: holders among " + outcomes);
      assertTrue(granted.getFirst().token() > expired.token(), "L3: tokens grow");
      assertEquals(
          List.of(granted.getFirst().owner()),
          leases().list(name).stream().map(Lease::owner).toList(),
          "L1: the one that was told so holds it");
    }
  }

  /** A store that has lost its last commits gives a token again; see the owner too. */
  @Test
  void L1_who_has_the_token_of_another_owner_neither_renews_nor_releases() {
    Lease held = acquire("one", LONG);
    Lease other = new Lease(held.name(), "two", held.token(), held.expiresAt());
    assertThrows(
        LeaseLostException.class, () -> leases().renew(other, LONG), "L1: it has another holder");
    leases().release(other);
    assertEquals(List.of(NAME), names(NAME), "L1: still held");
    assertEquals(held.token(), leases().renew(held, LONG).token(), "L1: by its holder");
  }

  @Test
  void L2_a_lease_that_is_not_renewed_expires() {
    Lease first = acquire("one", SHORT);
    Lease second = acquireWhenFree("two");
    assertTrue(second.token() > first.token(), "L3: tokens grow");
    assertThrows(
        LeaseLostException.class, () -> leases().renew(first, LONG), "L2: it was taken over");
    assertEquals(
        second.token(), leases().renew(second, LONG).token(), "L2: the new holder may renew");
  }

  @Test
  void L2_a_lease_lasts_as_long_as_was_asked_for() {
    Lease brief = leases().acquire(NAME + "/brief", "one", Duration.ofSeconds(10)).orElseThrow();
    Lease day = leases().acquire(NAME + "/day", "one", Duration.ofDays(1)).orElseThrow();
    Duration more = Duration.between(brief.expiresAt(), day.expiresAt());
    assertTrue(
        more.compareTo(Duration.ofHours(23)) > 0 && more.compareTo(Duration.ofHours(25)) < 0,
        () -> "L2: a lease of a day ends " + more + " after one of 10 seconds");
  }

  @Test
  void L2_an_expired_lease_cannot_be_renewed_even_if_nobody_took_it() {
    Lease lease = acquire("one", SHORT);
    Await.until(() -> leases().list(NAME).isEmpty(), () -> "L2: a lease of 50 ms does not expire");
    assertThrows(LeaseLostException.class, () -> leases().renew(lease, LONG), "L2: it expired");
  }

  @Test
  void L2_a_renewed_lease_is_held_longer_under_the_same_token() {
    Lease lease = acquire("one", Duration.ofSeconds(20));
    Lease renewed = leases().renew(lease, LONG);
    assertEquals(lease.token(), renewed.token(), "L3: renewing keeps the token");
    assertEquals("one", renewed.owner(), "L1: and the owner");
    assertTrue(renewed.expiresAt().isAfter(lease.expiresAt()), "L2: it ends later");
    assertEquals(List.of(renewed), leases().list(NAME), "L2: what is held now");
    assertEquals(Optional.empty(), leases().acquire(NAME, "two", LONG), "L1: still held");
  }

  @Test
  void L2_a_lease_may_be_renewed_to_end_earlier() {
    Lease lease = acquire("one", LONG);
    Lease shortened = leases().renew(lease, SHORT);
    assertTrue(shortened.expiresAt().isBefore(lease.expiresAt()), "L2: from now on, not added");
    assertTrue(acquireWhenFree("two").token() > lease.token(), "L3: tokens grow");
  }

  @Test
  void L2_a_released_lease_is_free_at_once() {
    Lease first = acquire("one", LONG);
    leases().release(first);
    Lease second = acquire("two", LONG);
    assertTrue(second.token() > first.token(), "L3: tokens grow, also after a release");
  }

  @Test
  void L2_a_lease_that_was_lost_can_neither_be_renewed_nor_take_the_new_one_away() {
    Lease lost = acquire("one", LONG);
    leases().release(lost);
    Lease held = acquire("one", LONG);
    leases().release(lost);
    assertEquals(
        Optional.empty(), leases().acquire(NAME, "three", LONG), "L1: releasing a lost one");
    assertThrows(
        LeaseLostException.class, () -> leases().renew(lost, LONG), "L3: the token is an old one");
    assertEquals(held.token(), leases().renew(held, LONG).token(), "L1: the holder goes on");
  }

  @Test
  void L2_a_released_lease_cannot_be_renewed() {
    Lease lease = acquire("one", LONG);
    leases().release(lease);
    leases().release(lease);
    assertThrows(LeaseLostException.class, () -> leases().renew(lease, LONG), "L2: given back");
    assertEquals(List.of(), leases().list(""), "L2: nothing is held");
  }

  @Test
  void L3_tokens_only_grow_over_release_expiry_and_restart() {
    List<Long> tokens = new ArrayList<>();
    Lease released = acquire("one", LONG);
    tokens.add(released.token());
    leases().release(released);
    restart();
    tokens.add(acquire("two", SHORT).token());
    Lease third = acquireWhenFree("three");
    tokens.add(third.token());
    leases().release(third);
    restart();
    tokens.add(acquire("four", LONG).token());
    for (int i = 1; i < tokens.size(); i++) {
      assertTrue(tokens.get(i) > tokens.get(i - 1), () -> "L3: tokens only grow, seen " + tokens);
    }
  }

  @Test
  void L3_a_checkpoint_fenced_by_the_token_keeps_a_paused_owner_out() {
    Lease paused = acquire("paused", SHORT);
    Checkpoint first = Checkpoint.first(NAME, new Position(1), Payload.EMPTY, paused.token());
    storage.checkpoints().save(first);
    Lease successor = acquireWhenFree("successor");
    Checkpoint next = first.next(new Position(2), Payload.EMPTY, successor.token());
    storage.checkpoints().save(next);
    assertThrows(
        CheckpointConflictException.class,
        () -> storage.checkpoints().save(next.next(new Position(3), Payload.EMPTY, paused.token())),
        "U3: what a paused owner saves after it was replaced");
    assertEquals(Optional.of(next), storage.checkpoints().load(NAME), "U3: nothing was changed");
  }

  @Test
  void L1_held_leases_are_listed_by_prefix_in_order_of_names() {
    List<String> names =
        List.of("b/1", "a_b", "a/2", "a%", "a/1", "A/1", "ab", "a.b", "a\\b", "B/1");
    for (String name : names) {
      assertTrue(leases().acquire(name, "owner of " + name, LONG).isPresent(), "L1: a free lease");
    }
    Lease gone = leases().acquire("a/3", "gone", LONG).orElseThrow();
    leases().release(gone);
    assertEquals(List.of("a/1", "a/2"), names("a/"), "L1: held, by prefix");
    assertEquals(List.of("a_b"), names("a_"), "L1: '_' stands for itself");
    assertEquals(List.of("a%"), names("a%"), "L1: '%' stands for itself");
    assertEquals(List.of("a.b"), names("a."), "L1: '.' stands for itself");
    assertEquals(List.of("a\\b"), names("a\\"), "L1: '\\' stands for itself");
    assertEquals(
        names.stream().sorted().toList(), names(""), "L1: all that are held, in no locale's order");
    assertEquals(
        "owner of b/1", open().leases().list("b").getFirst().owner(), "L1: seen by others, too");
  }

  private LeaseStore leases() {
    return storage.leases();
  }

  private List<String> names(String prefix) {
    return leases().list(prefix).stream().map(Lease::name).toList();
  }

  private Lease acquire(String owner, Duration duration) {
    Optional<Lease> lease = leases().acquire(NAME, owner, duration);
    assertTrue(lease.isPresent(), () -> "L1: a lease that nobody holds is granted to " + owner);
    return lease.get();
  }

  private Lease acquireWhenFree(String owner) {
    List<Lease> granted = new ArrayList<>();
    Await.until(
        () -> leases().acquire(NAME, owner, LONG).map(granted::add).isPresent(),
        () -> "L2: a lease of 50 ms does not expire");
    return granted.getFirst();
  }
}
