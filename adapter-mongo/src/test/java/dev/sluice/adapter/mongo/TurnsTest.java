package dev.sluice.adapter.mongo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.core.event.StreamId;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class TurnsTest {

  private static final StreamId ONE = StreamId.of("account", "1");
  private static final Duration LONG = Duration.ofMinutes(1);

  private final Turns turns = new Turns();

  @Test
  void the_next_one_of_a_stream_waits_for_the_end_of_the_first() throws Exception {
    Turns.Turn first = turns.await(ONE, LONG);
    CompletableFuture<Turns.Turn> second = waiting();
    turns.await(StreamId.of("account", "2"), LONG).end();
    assertThat(second.isDone()).isFalse();
    first.end();
    second.get(Mongo.SECONDS, TimeUnit.SECONDS).end();
    assertThat(turns.size()).isZero();
  }

  @Test
  void who_goes_on_without_a_turn_gives_none_back() throws Exception {
    Turns.Turn first = turns.await(ONE, LONG);
    turns.await(ONE, Duration.ZERO).end();
    CompletableFuture<Turns.Turn> third = waiting();
    assertThat(third.isDone()).isFalse();
    first.end();
    third.get(Mongo.SECONDS, TimeUnit.SECONDS).end();
    assertThat(turns.size()).as("nothing is kept of a stream that nobody appends to").isZero();
  }

  @Test
  void who_is_interrupted_does_not_wait_and_stays_interrupted() {
    Turns.Turn first = turns.await(ONE, LONG);
    Thread.currentThread().interrupt();
    turns.await(ONE, LONG).end();
    assertThat(Thread.interrupted()).isTrue();
    first.end();
    assertThat(turns.size()).isZero();
  }

  /** Somebody who is known to wait. */
  private CompletableFuture<Turns.Turn> waiting() {
    CompletableFuture<Turns.Turn> turn = new CompletableFuture<>();
    Thread thread = Thread.ofPlatform().daemon().start(() -> turn.complete(turns.await(ONE, LONG)));
    MongoStorageTest.await(() -> thread.getState() == Thread.State.TIMED_WAITING || turn.isDone());
    return turn;
  }
}
