package dev.sluice.tck;

import static dev.sluice.tck.Given.message;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.LaneFencedException;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.MessageRefusedException;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a broker owes the relay: K2, K3, K5 and K6, for a publisher with all guarantees. */
@Timeout(value = 10, unit = TimeUnit.MINUTES)
@ExtendWith({PromiseBroken.class, ConformanceReport.class})
public abstract class MessagePublisherContract {

  private static final String RELAY = "tck";

  private PublisherFixture fixture;
  private MessagePublisher publisher;
  private boolean refuses;
  String adapter = "unknown";
  String broker = "";
  private final List<MessagePublisher> opened = new ArrayList<>();

  /** A new fixture without messages. Called once for each test, which closes it. */
  protected abstract PublisherFixture createFixture();

  @BeforeEach
  void openFixture() {
    fixture = createFixture();
    adapter = fixture.adapter();
    broker = fixture.broker();
    refuses = fixture.refusedMessage().isPresent();
    publisher = open();
  }

  @AfterEach
  void closeFixture() {
    opened.forEach(MessagePublisher::close);
    fixture.close();
  }

  private MessagePublisher open() {
    MessagePublisher next = fixture.open();
    opened.add(next);
    return next;
  }

  /**
   * The README that may show the table of this publisher; default that of the working directory.
   */
  protected Path readme() {
    return Path.of("README.md");
  }

  /** As in {@link StorageContract}. */
  @Test
  void a_conformance_table_in_the_README_is_current() throws IOException {
    SortedMap<String, List<String>> guarantees =
        ConformanceTable.passed(MessagePublisherContract.class);
    guarantees.keySet().removeIf(guarantee -> !proves(guarantee));
    ConformanceTable.assertCurrent(
        readme(), adapter, ConformanceTable.of(false, Set.of(), guarantees));
  }

  /** For the report: where a broker refuses nothing, no test has seen what K5 is about. */
  final boolean proves(String guarantee) {
    return refuses || !guarantee.equals("K5");
  }

  @Test
  void K2_messages_of_a_key_are_read_in_the_order_in_which_they_were_published() {
    List<OutboxMessage> all = new ArrayList<>();
    try (MessagePublisher.Lane lane = publisher.open(RELAY, 0)) {
      for (int batch = 0; batch < 3; batch++) {
        List<OutboxMessage> messages = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
          messages.add(at(1 + all.size() + i, message("key-" + i % 3, "m" + batch + "/" + i)));
        }
        all.addAll(messages);
        lane.publish(messages, progress(all.size()));
      }
    }
    List<IntegrationMessage> consumed = fixture.consume(30);
    assertEquals(30, consumed.size(), "K3: each message once");
    for (String key : List.of("key-0", "key-1", "key-2")) {
      assertEquals(
          ids(all.stream().map(OutboxMessage::message).toList(), key),
          ids(consumed, key),
          () -> "K2: the order of " + key);
    }
  }

  @Test
  void K3_a_message_comes_out_as_it_went_in() {
    IntegrationMessage message = message("schlüssel", "{\"text\": \"Grüezi 日本 😀\"}");
    IntegrationMessage bare =
        new IntegrationMessage(
            EventIds.next(),
            PublisherFixture.TYPE,
            message.key(),
            "subject",
            Given.TIME,
            Payload.EMPTY,
            Optional.empty(),
            Optional.empty());
    try (MessagePublisher.Lane lane = publisher.open(RELAY, 0)) {
      lane.publish(List.of(at(1, message), at(2, bare)), progress(2));
    }
    assertEquals(
        List.of(message, bare),
        fixture.consume(2),
        "K3: each of its parts as it was, and what is absent absent");
  }

  @Test
  void K3_the_progress_is_there_when_a_lane_is_opened_anew() {
    try (MessagePublisher.Lane lane = publisher.open(RELAY, 0)) {
      assertEquals(Optional.empty(), lane.progress(), "K3: a lane that nobody has used");
      lane.publish(List.of(at(7, message("k", "one"))), new Progress(new Position(7), "state 1"));
      lane.publish(List.of(), new Progress(new Position(9), "state 2"));
    }
    try (MessagePublisher.Lane lane = open().open(RELAY, 0)) {
      assertEquals(
          Optional.of(new Progress(new Position(9), "state 2")),
          lane.progress(),
          "K3: the last progress, also one without messages");
    }
    assertEquals(1, fixture.consume(1).size(), "K3: the message once");
  }

  @Test
  void K3_lanes_and_relays_have_a_progress_of_their_own() {
    try (MessagePublisher.Lane first = publisher.open(RELAY, 0);
        MessagePublisher.Lane second = publisher.open(RELAY, 1)) {
      first.publish(List.of(at(3, message("a", "one"))), progress(3));
      second.publish(List.of(at(5, message("b", "two"))), progress(5));
    }
    MessagePublisher other = open();
    try (MessagePublisher.Lane first = other.open(RELAY, 0);
        MessagePublisher.Lane second = other.open(RELAY, 1);
        MessagePublisher.Lane unused = other.open(RELAY + "-2", 0)) {
      assertEquals(Optional.of(progress(3)), first.progress(), "K3: lane 0");
      assertEquals(Optional.of(progress(5)), second.progress(), "K3: lane 1");
      assertEquals(Optional.empty(), unused.progress(), "K3: another relay's lane 0");
    }
    assertEquals(2, fixture.consume(2).size(), "K3: both messages");
  }

  @Test
  void K6_an_owner_that_was_replaced_publishes_nothing_more() {
    MessagePublisher.Lane stale = publisher.open(RELAY, 0);
    stale.publish(List.of(at(1, message("k", "by the first"))), progress(1));
    try (MessagePublisher.Lane owner = open().open(RELAY, 0)) {
      assertEquals(Optional.of(progress(1)), owner.progress(), "K3: where the first one ended");
      assertThrows(
          LaneFencedException.class,
          () -> stale.publish(List.of(at(2, message("k", "by the stale"))), progress(2)),
          "K6: an owner that was replaced");
      owner.publish(List.of(at(2, message("k", "by the second"))), progress(2));
    } finally {
      stale.close();
    }
    try (MessagePublisher.Lane again = open().open(RELAY, 0)) {
      assertEquals(Optional.of(progress(2)), again.progress(), "K6: the owner's progress");
      again.publish(List.of(at(3, message("k", "by the third"))), progress(3));
    }
    assertEquals(
        List.of("by the first", "by the second", "by the third"),
        consume(3),
        "K6: nothing of the stale owner");
  }

  @Test
  void K6_an_owner_that_was_replaced_moves_no_progress_either() {
    try (MessagePublisher.Lane stale = publisher.open(RELAY, 0);
        MessagePublisher.Lane owner = open().open(RELAY, 0)) {
      owner.publish(List.of(at(1, message("k", "by the owner"))), progress(1));
      assertThrows(
          LaneFencedException.class,
          () -> stale.publish(List.of(), progress(9)),
          "K6: progress without messages, of an owner that was replaced");
    }
    assertProgress(1, "K6: the owner's progress");
  }

  @Test
  void K6_an_owner_that_was_replaced_stays_out_when_its_successor_has_closed() {
    try (MessagePublisher.Lane stale = publisher.open(RELAY, 0)) {
      try (MessagePublisher.Lane owner = open().open(RELAY, 0)) {
        owner.publish(List.of(at(1, message("k", "by the successor"))), progress(1));
      }
      assertThrows(
          LaneFencedException.class,
          () -> stale.publish(List.of(at(2, message("k", "by the stale"))), progress(2)),
          "K6: an owner that was replaced, by one that has closed since");
    }
    assertEquals(List.of("by the successor"), consume(1), "K6: nothing of the stale owner");
    assertProgress(1, "K6: the successor's progress");
  }

  @Test
  void K5_a_message_that_is_refused_takes_nothing_of_its_batch_with_it() {
    Optional<IntegrationMessage> refused = fixture.refusedMessage();
    try (MessagePublisher.Lane lane = publisher.open(RELAY, 0)) {
      lane.publish(List.of(at(1, message("k", "before"))), progress(1));
      refused.ifPresent(message -> assertRefused(lane, 2, message));
      lane.publish(List.of(at(5, message("k", "after"))), progress(5));
      refused.ifPresent(message -> assertRefused(lane, 6, message));
    }
    assertEquals(List.of("before", "after"), consume(2), "K5: nothing of the refused batches");
    assertProgress(5, "K5: the progress is that of what is read");
  }

  private static void assertRefused(
      MessagePublisher.Lane lane, long position, IntegrationMessage message) {
    List<OutboxMessage> batch =
        List.of(
            at(position, message("k", "beside 1")),
            at(position + 1, message),
            at(position + 2, message("k", "beside 2")));
    MessageRefusedException exception =
        assertThrows(
            MessageRefusedException.class,
            () -> lane.publish(batch, progress(position + 2)),
            "K5: a message that the broker refuses for good");
    assertEquals(message, exception.refused().message(), "K5: which one");
  }

  private List<String> consume(int count) {
    return fixture.consume(count).stream().map(message -> message.data().toUtf8()).toList();
  }

  private void assertProgress(long position, String what) {
    try (MessagePublisher.Lane again = open().open(RELAY, 0)) {
      assertEquals(Optional.of(progress(position)), again.progress(), what);
    }
  }

  private static OutboxMessage at(long position, IntegrationMessage message) {
    return new OutboxMessage(new Position(position), message);
  }

  private static Progress progress(long position) {
    return new Progress(new Position(position), "");
  }

  private static List<UUID> ids(List<IntegrationMessage> messages, String key) {
    return messages.stream()
        .filter(message -> message.key().equals(key))
        .map(IntegrationMessage::id)
        .toList();
  }
}
