package dev.sluice.core.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;

class EventIdsTest {

  @Test
  void newIdsAreOfVersionSevenAndBeginWithTheTime() {
    long before = System.currentTimeMillis();
    UUID id = EventIds.next();
    long after = System.currentTimeMillis();
    assertThat(id.version()).isEqualTo(7);
    assertThat(id.variant()).isEqualTo(2);
    assertThat(id.getMostSignificantBits() >>> 16).isBetween(before, after);
  }

  @Test
  void newIdsDiffer() {
    Set<UUID> ids = new HashSet<>();
    for (int i = 0; i < 10_000; i++) {
      ids.add(EventIds.next());
    }
    assertThat(ids).hasSize(10_000);
  }

  @Test
  void newIdsOfAThreadAreInOrder() {
    UUID last = EventIds.next();
    for (int i = 0; i < 100_000; i++) {
      UUID next = EventIds.next();
      // As stores compare them, byte by byte.
      assertThat(next.toString()).isGreaterThan(last.toString());
      last = next;
    }
  }

  @Test
  void noTwoOfSeveralThreadsAreAlikeNorAreTheirTimes() throws Exception {
    Set<Long> times = ConcurrentHashMap.newKeySet();
    Set<Long> others = ConcurrentHashMap.newKeySet();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      threads.add(
          Thread.startVirtualThread(
              () -> {
                for (int made = 0; made < 25_000; made++) {
                  UUID id = EventIds.next();
                  times.add(id.getMostSignificantBits());
                  others.add(id.getLeastSignificantBits());
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(times).hasSize(100_000);
    assertThat(others).hasSize(100_000);
  }

  /** The example of RFC 9562, appendix A.4. */
  @Test
  void derivedIdsAreThoseOfTheStandard() {
    UUID dns = UUID.fromString("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    assertThat(EventIds.derived(dns, "www.example.com"))
        .isEqualTo(UUID.fromString("2ed6657d-e927-568b-95e1-2665a8aea6a2"));
  }
}
