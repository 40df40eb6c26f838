package dev.sluice.adapter.mongo.model;

import static dev.sluice.adapter.mongo.model.CommitProtocol.ANY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.sluice.adapter.mongo.model.CommitProtocol.Append;
import dev.sluice.adapter.mongo.model.CommitProtocol.Scenario;
import dev.sluice.adapter.mongo.model.CommitProtocol.Violation;
import dev.sluice.adapter.mongo.model.CommitProtocol.Without;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every interleaving of two or three writers, their requests that are still on the way, two readers
 * and misfortunes, with the guarantees asserted at each step; and the same search with one part of
 * the protocol taken away, which must find what that part is for.
 */
class CommitProtocolTest {

  private static final Append FIRST = new Append(0, 1, 0);
  private static final Append FIRST_THREE = new Append(0, 3, 0);
  private static final Append THIRD = new Append(0, 1, 2);
  private static final Append ANY_ONE = new Append(0, 1, ANY);
  private static final Append ANY_TWO = new Append(0, 2, ANY);
  private static final Append ELSEWHERE = new Append(1, 1, ANY);

  static Stream<Arguments> holds() {
    return Stream.of(
        arguments(
            "one stream, same version expected",
            Scenario.of(FIRST, FIRST).crashes(1).lostReplies(1).earlyFills(2),
            50_000),
        arguments(
            "one stream, any version",
            Scenario.of(ANY_ONE, ANY_TWO).crashes(1).lostReplies(1).earlyFills(1),
            100_000),
        arguments(
            "two streams",
            Scenario.of(ANY_ONE, ELSEWHERE).crashes(1).lostReplies(1).earlyFills(2),
            50_000),
        arguments(
            "three writers, fillers that come early",
            Scenario.of(ANY_ONE, FIRST, ELSEWHERE).earlyFills(1),
            50_000),
        arguments(
            "three writers, a lost reply",
            Scenario.of(ANY_ONE, FIRST, ELSEWHERE).lostReplies(1),
            50_000),
        arguments(
            "three writers, one dies", Scenario.of(ANY_ONE, FIRST, ELSEWHERE).crashes(1), 50_000),
        arguments(
            "three writers, versions that would overlap",
            Scenario.of(FIRST_THREE, ANY_TWO, THIRD).crashes(1).earlyFills(1),
            50_000),
        arguments(
            "the counter forgets a draw",
            Scenario.of(ANY_ONE, ELSEWHERE, ANY_TWO).counterLosses(1),
            50_000),
        arguments(
            "the server dies, same version expected",
            Scenario.of(FIRST, FIRST).serverCrashes(1).counterLosses(1),
            50_000),
        arguments(
            "the server dies, any version",
            Scenario.of(ANY_ONE, ANY_TWO).serverCrashes(1).earlyFills(1),
            50_000),
        arguments(
            "the server dies and forgets a draw",
            Scenario.of(ANY_ONE, ELSEWHERE).serverCrashes(1).counterLosses(1),
            50_000));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("holds")
  void G1_G2_S1_S4_S6_hold_in_every_interleaving(String name, Scenario scenario, int atLeast)
      throws Exception {
    int states = explore(new CommitProtocol(scenario, true));
    System.out.println("Model: " + name + ": " + states + " states");
    // A search that saw next to nothing proves nothing.
    assertThat(states).isGreaterThan(atLeast);
  }

  @Test
  void G3_losers_fill_their_own_holes_so_that_readers_need_no_patience() throws Exception {
    int states = explore(new CommitProtocol(Scenario.of(FIRST, FIRST, ELSEWHERE), false));
    assertThat(states).isGreaterThan(10_000);
  }

  static Stream<Arguments> breaks() {
    Scenario disturbed = Scenario.of(ANY_ONE, ANY_TWO).crashes(1).lostReplies(1).earlyFills(1);
    return Stream.of(
        arguments(
            Without.UNIQUE_POSITION_FOR_COMMITS,
            Scenario.of(ANY_ONE, ELSEWHERE).counterLosses(1),
            "G2"),
        arguments(Without.UNIQUE_POSITION_FOR_FILLERS, disturbed, "G2"),
        arguments(Without.FILLERS, Scenario.of(ANY_ONE, ELSEWHERE).crashes(1), "G3"),
        arguments(Without.FILLERS_THAT_ONLY_INSERT, disturbed, "S1: a filler removed"),
        arguments(
            Without.RETRY_AFTER_A_DUPLICATE_KEY,
            Scenario.of(ANY_ONE, ELSEWHERE).earlyFills(1),
            "S4/S5"),
        arguments(Without.NOTICING_A_DUPLICATE_KEY, Scenario.of(FIRST, FIRST), "S1"),
        arguments(Without.CHECK_BEFORE_DRAW, Scenario.of(ANY_ONE, ELSEWHERE, ANY_TWO), "S2/G1"),
        arguments(Without.CHECK_OF_THE_TAIL, Scenario.of(FIRST_THREE, THIRD), "S2/G1"),
        arguments(Without.UNIQUE_STREAM_VERSION, Scenario.of(FIRST, FIRST), "S2/G1"),
        arguments(Without.UNIQUE_EVENT_IDS, Scenario.of(ANY_ONE, ELSEWHERE).lostReplies(1), "S6"),
        arguments(Without.LOOK_FOR_OWN_IDS, Scenario.of(FIRST, ELSEWHERE).lostReplies(1), "S6"),
        arguments(Without.STOP_AT_A_HOLE, Scenario.of(ANY_ONE, ELSEWHERE), "G2"),
        arguments(Without.BOUND_BEFORE_QUERY, Scenario.of(ANY_ONE, ELSEWHERE), "G2"),
        arguments(
            Without.POSITION_ABOVE_THE_TAIL,
            Scenario.of(ANY_ONE, ELSEWHERE, ANY_TWO).counterLosses(2),
            "S2/G1"),
        arguments(Without.JOURNALED_TAIL, Scenario.of(ANY_ONE, ANY_ONE).serverCrashes(1), "S2/G1"),
        arguments(
            Without.JOURNALED_REPEAT,
            Scenario.of(ANY_ONE, ELSEWHERE).serverCrashes(1).lostReplies(1),
            "S1"),
        arguments(Without.JOURNALED_READ, Scenario.of(ANY_ONE).serverCrashes(1), "G2"),
        arguments(
            Without.READ_STILL_THERE,
            Scenario.of(ANY_ONE, ELSEWHERE).serverCrashes(1).counterLosses(1),
            "G2"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("breaks")
  void the_search_notices_what_is_missing(Without part, Scenario scenario, String sentence) {
    assertThatThrownBy(() -> explore(new CommitProtocol(scenario, true, part)))
        .isInstanceOf(Violation.class)
        .hasMessageContaining(sentence);
  }

  @Test
  void the_search_notices_losers_that_leave_their_holes() {
    assertThatThrownBy(
            () ->
                explore(
                    new CommitProtocol(
                        Scenario.of(FIRST, FIRST, ELSEWHERE), false, Without.OWN_HOLE_FILLED)))
        .isInstanceOf(Violation.class)
        .hasMessageContaining("G3");
  }

  /** Depth first, on a stack that is deep enough. */
  private static int explore(CommitProtocol protocol) throws InterruptedException {
    int[] states = {0};
    RuntimeException[] thrown = {null};
    Thread search =
        new Thread(
            null,
            () -> {
              try {
                states[0] = CommitProtocol.explore(protocol);
              } catch (RuntimeException e) {
                thrown[0] = e;
              }
            },
            "search",
            64L << 20);
    search.start();
    search.join();
    if (thrown[0] != null) {
      throw thrown[0];
    }
    return states[0];
  }
}
