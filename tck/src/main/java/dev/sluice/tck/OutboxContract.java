package dev.sluice.tck;

import static dev.sluice.tck.Given.OTHER;
import static dev.sluice.tck.Given.STREAM;
import static dev.sluice.tck.Given.THIRD;
import static dev.sluice.tck.Given.any;
import static dev.sluice.tck.Given.event;
import static dev.sluice.tck.Given.exactly;
import static dev.sluice.tck.Given.message;
import static dev.sluice.tck.Given.messageTexts;
import static dev.sluice.tck.Given.sending;
import static dev.sluice.tck.Given.texts;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.core.EventTypes;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.core.translation.EventAssembler;
import dev.sluice.core.translation.Outgoing;
import dev.sluice.core.translation.Translation;
import dev.sluice.core.translation.Translator;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Integration messages on their way out: O1 to O5. */
public abstract class OutboxContract extends Contract {

  // O1: if and only if

  @Test
  void O1_messages_are_there_when_the_append_returned() {
    append(STREAM, sending("one"));
    assertEquals(List.of("one"), messages(), "O1: the message of a stored event");
    assertEquals(
        List.of("one"),
        messageTexts(readOutbox(open(), Position.START, 10)),
        "O1: also for another instance");
    restart();
    assertEquals(List.of("one"), messages(), "O1: also after a restart");
  }

  @Test
  void O1_an_event_takes_none_one_or_several_messages_with_it() {
    append(
        STREAM,
        event("sent", "a", message("k", "a1"), message("k", "a2"), message("l", "a3")),
        event("kept", "b"),
        event("sent", "c", message("k", "c1")));
    append(OTHER, event("kept", "d"));
    assertEquals(List.of("a1", "a2", "a3", "c1"), messages(), "O1: 3, none, 1 and none");
    assertEquals(4, readLog().size(), "O1: and all four events");
  }

  @Test
  void O1_a_conflict_leaves_no_message() {
    append(STREAM, sending("there"));
    assertThrows(
        VersionConflictException.class,
        () -> append(STREAM, ExpectedVersion.exactly(0), sending("refused")),
        "S3: exactly 0 is not met");
    assertEquals(List.of("there"), messages(), "O1: no message without its event");
  }

  @Test
  void O1_a_duplicate_leaves_no_message() {
    NewEvent there = sending("there");
    append(STREAM, there);
    assertThrows(
        DuplicateEventException.class,
        () -> append(OTHER, sending("new"), there),
        "S6: the id is stored in another stream");
    assertEquals(List.of("there"), messages(), "O1: no message without its event");
  }

  @Test
  void O1_an_append_that_is_rolled_back_leaves_no_message() {
    append(STREAM, sending("there"));
    fixture.hold(any(OTHER, sending("rolled back"))).rollBack();
    append(THIRD, sending("after"));
    assertEquals(List.of("there", "after"), messages(), "O1: no message without its event");
  }

  @Test
  void O1_an_append_whose_writer_dies_leaves_no_message() {
    append(STREAM, sending("there"));
    fixture.hold(any(OTHER, sending("dead"))).kill();
    appendInTime(any(THIRD, sending("after")));
    Await.until(() -> readOutbox().size() >= 2, () -> "O2: a dead writer delays relays");
    assertEquals(List.of("there", "after"), messages(), "O1: no message without its event");
  }

  @Test
  void O1_a_repeated_append_sends_nothing_twice() {
    append(STREAM, sending("a"), sending("b"));
    Append append = exactly(2, STREAM, sending("once"), sending("once too"));
    AppendResult first = storage.eventStore().append(append);
    append(STREAM, sending("later"));
    assertEquals(first, storage.eventStore().append(append), "S6: the first result");
    assertEquals(
        List.of("a", "b", "once", "once too", "later"), messages(), "O1: each message once");
  }

  @Test
  void O1_an_append_that_was_overtaken_on_its_stream_keeps_its_messages() {
    append(STREAM, sending("before"));
    HeldAppend held = fixture.hold(any(STREAM, sending("held")));
    Task<AppendResult> other = Task.start(() -> append(STREAM, sending("other")));
    other.isStillRunningAfterMillis(20);
    Task.start(held::commit).result();
    other.result();
    assertEquals(3, messages().size(), () -> "O1: all messages, seen " + messages());
    assertEquals(texts(readStream(STREAM)), messages(), "O2: in the order of their events");
  }

  @Test
  void O1_concurrent_appends_keep_exactly_the_messages_of_the_winners() {
    List<Storage> both = List.of(storage, open());
    for (int round = 0; round < 10; round++) {
      long version = round;
      List<Outcome<AppendResult>> outcomes =
          Race.of(
              6,
              i ->
                  () ->
                      both.get(i % 2)
                          .eventStore()
                          .append(exactly(version, STREAM, sending("by " + i))));
      assertEquals(1, Race.winners(outcomes).size(), "S4: winners");
    }
    assertEquals(10, messages().size(), "O1: one message for each winner");
    assertEquals(texts(readStream(STREAM)), messages(), "O1: those of the stored events");
  }

  @Test
  void O1_messages_come_back_equal() {
    IntegrationMessage full = message("key-😀", "{\"amount\": 1}");
    // Two ways to write one text, and blanks that are easily lost.
    IntegrationMessage likeComposed = message(" a\u0308 ", "decomposed");
    IntegrationMessage composed = message("ä", "composed");
    IntegrationMessage bare =
        new IntegrationMessage(
            EventIds.next(),
            "bare",
            "k",
            "s",
            Instant.parse("1969-12-31T23:59:59.999999Z"),
            Payload.of(new byte[] {0, 1, -1}),
            Optional.empty(),
            Optional.empty());
    IntegrationMessage emptyTexts =
        new IntegrationMessage(
            EventIds.next(),
            "empty-texts",
            "ключ",
            "主題/ä",
            Given.TIME,
            Payload.EMPTY,
            Optional.of(""),
            Optional.of(""));
    IntegrationMessage large = message("large", "x".repeat(1_000_000));
    append(STREAM, event("sent", "all", full, bare, emptyTexts, likeComposed, composed, large));
    assertEquals(
        List.of(full, bare, emptyTexts, likeComposed, composed, large),
        readOutbox().stream().map(OutboxMessage::message).toList(),
        "S9: messages, with what is absent absent and what is empty empty");
  }

  // O2: in order, without late arrivals

  @Test
  void O2_messages_are_read_in_the_order_of_their_events() {
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      String text = "m" + i;
      append(
          List.of(STREAM, OTHER, THIRD).get(i % 3),
          event("sent", text, message("a", text + "/1"), message("b", text + "/2")));
      expected.add(text + "/1");
      expected.add(text + "/2");
    }
    assertEquals(expected, messages(), "O2: the order of the events");
    List<OutboxMessage> all = readOutbox();
    for (int i = 1; i < all.size(); i++) {
      assertTrue(
          all.get(i).position().isAfter(all.get(i - 1).position()),
          "O2: positions strictly increase");
    }
    for (int pageSize : List.of(1, 2, 3, 5, 24, 25)) {
      assertEquals(
          all,
          readOutbox(storage, Position.START, pageSize),
          () -> "O2: the same in pages of " + pageSize);
    }
    for (int pageSize : List.of(1, 2, 3, 5, 7, 24)) {
      Position cursor = Position.START;
      for (int rest = all.size(); rest > 0; rest -= pageSize) {
        List<OutboxMessage> page = storage.outbox().read(cursor, pageSize);
        assertEquals(
            Math.min(pageSize, rest),
            page.size(),
            "O2: messages in a page of " + pageSize + ", where " + rest + " can be read");
        cursor = page.getLast().position();
      }
    }
    Position parsed = Position.parse(all.get(4).position().toString());
    assertEquals(
        all.subList(5, 24), readOutbox(storage, parsed, 7), "O2: behind a position kept as text");
  }

  @Test
  void O2_an_append_that_ends_late_is_not_missed_by_a_relay_that_has_read_on() {
    append(STREAM, sending("before"));
    HeldAppend held = fixture.hold(any(OTHER, sending("late 1"), sending("late 2")));
    Task<AppendResult> beside = appendBeside(THIRD, sending("overtakes"));
    List<OutboxMessage> seen = new ArrayList<>(readOutbox());
    assertEquals("before", seen.getFirst().message().data().toUtf8(), "G4: what came before");
    held.commit();
    beside.result();
    seen.addAll(readOutbox(storage, seen.getLast().position(), 10));
    assertEquals(4, seen.size(), () -> "O2: messages seen " + messageTexts(seen));
    assertEquals(readOutbox(), seen, "O2: what was read step by step is the whole outbox");
    assertEquals(texts(readLog()), messageTexts(seen), "O2: in the order of the events");
  }

  @Test
  void O2_an_append_that_rolls_back_delays_no_relay() {
    append(STREAM, sending("before"));
    HeldAppend held = fixture.hold(any(OTHER, sending("never")));
    Task<AppendResult> beside = appendBeside(THIRD, sending("beside"));
    held.rollBack();
    beside.result();
    assertEquals(List.of("before", "beside"), messages(), "G3: readable at once");
  }

  @Test
  void O2_live_relays_miss_nothing_while_others_append() {
    List<List<OutboxMessage>> seen =
        seenWhile(
            List.of(outboxTail(open(), 2), outboxTail(open(), 100)),
            5,
            i ->
                () -> {
                  for (int n = 0; n < 40; n++) {
                    if (i == 0 && n % 4 == 0) {
                      fixture.hold(any(OTHER, sending("never"))).rollBack();
                    }
                    append(StreamId.of("w", "" + i), sending(i + "-" + n));
                  }
                  return i;
                });
    assertEquals(200, messages().size(), "O1: a message for each event");
    assertEquals(texts(readLog()), messages(), "O2: in the order of the events");
    for (List<OutboxMessage> relay : seen) {
      assertEquals(readOutbox(), relay, "O2: what a live relay saw is the whole outbox");
    }
  }

  @Test
  void O2_a_limit_out_of_bounds_is_refused() {
    append(STREAM, sending("there"));
    for (int limit : List.of(0, -1, Outbox.MAX_LIMIT + 1)) {
      assertThrows(
          IllegalArgumentException.class,
          () -> storage.outbox().read(Position.START, limit),
          () -> "a limit of " + limit);
    }
  }

  // O3 and O4: the translator

  record Opened(String owner, String secret) implements DomainEvent {}

  record AccountOpened(String owner) implements IntegrationEvent {}

  /** Writes a record's text, which is all that these tests need. */
  private static final class TextSerializer implements Serializer {

    @Override
    public Payload write(Object value) {
      return Payload.ofUtf8(value.toString());
    }

    @Override
    public <T> T read(Payload payload, Class<T> type) {
      throw new UnsupportedOperationException("these tests read the bytes");
    }
  }

  private static EventAssembler assembler(Translator translator) {
    Serializer serializer = new TextSerializer();
    return new EventAssembler(
        EventCodec.of(
            EventTypes.<DomainEvent>builder().add("opened", Opened.class).build(), serializer),
        Translation.of(
            translator,
            EventTypes.<IntegrationEvent>builder()
                .add("account-opened", AccountOpened.class)
                .build(),
            serializer));
  }

  private static NewEvent assemble(EventAssembler assembler, UUID id, String owner) {
    return assembler.assemble(
        STREAM, id, Given.TIME, Metadata.EMPTY, new Opened(owner, "secret of " + owner));
  }

  @Test
  void O1_a_message_has_the_same_id_whenever_it_is_made_again() {
    EventAssembler assembler =
        assembler(
            (event, source) ->
                List.of(
                    Outgoing.of(new AccountOpened("first")),
                    Outgoing.of(new AccountOpened("second"))));
    UUID id = EventIds.next();
    NewEvent first = assemble(assembler, id, "anna");
    append(STREAM, first);
    append(STREAM, assemble(assembler, id, "anna"));
    List<UUID> stored = readOutbox().stream().map(m -> m.message().id()).toList();
    assertEquals(2, stored.size(), "O1: two messages, once");
    assertFalse(stored.get(0).equals(stored.get(1)), "O1: each with an id of its own");
    assertEquals(
        assemble(assembler, id, "anna").messages().stream().map(IntegrationMessage::id).toList(),
        stored,
        "O1: the same ids when they are made again");
  }

  @Test
  void O3_a_translator_that_throws_fails_the_append_and_nothing_is_stored() {
    append(OTHER, sending("before"));
    EventAssembler assembler =
        assembler(
            (event, source) -> {
              if (((Opened) event).owner().equals("bad")) {
                throw new IllegalStateException("a translator that fails on purpose");
              }
              return List.of(Outgoing.of(new AccountOpened(((Opened) event).owner())));
            });
    assertThrows(
        IllegalStateException.class,
        () ->
            append(
                STREAM,
                assemble(assembler, EventIds.next(), "good"),
                assemble(assembler, EventIds.next(), "bad")),
        "O3: the translator's exception reaches the caller");
    assertEquals(List.of("before"), texts(readLog()), "O3: nothing is stored");
    assertEquals(List.of("before"), messages(), "O3: nothing is sent");
  }

  @Test
  void O4_only_what_a_translator_put_there_is_in_the_outbox() {
    EventAssembler assembler =
        assembler(
            (event, source) -> List.of(Outgoing.of(new AccountOpened(((Opened) event).owner()))));
    append(STREAM, assemble(assembler, EventIds.next(), "anna"), event("kept", "secret, too"));
    List<OutboxMessage> outbox = readOutbox();
    assertEquals(1, outbox.size(), "O4: one event is translated, the other stays inside");
    assertEquals(2, readLog().size(), "both events are stored");
    OutboxMessage only = outbox.getFirst();
    assertEquals(
        "AccountOpened[owner=anna]", only.message().data().toUtf8(), "O4: what was put there");
    assertFalse(only.message().toString().contains("secret"), "O4: nothing else");
    assertFalse(
        only.message().data().toUtf8().contains("secret"), "O4: nothing of the domain event");
  }

  // O5: pruning

  @Test
  void O5_without_a_relay_nothing_is_pruned() {
    append(STREAM, sending("one"), sending("two"));
    for (String name : List.of("projection/balances", "relayed/x", "Relay/x")) {
      save(name, readOutbox().getLast().position());
    }
    assertEquals(0, storage.outbox().prune(100), "O5: no relay has passed anything");
    assertEquals(List.of("one", "two"), messages(), "O5: all is there");
  }

  @Test
  void O5_a_relay_that_has_passed_nothing_keeps_everything() {
    append(STREAM, sending("one"), sending("two"));
    save(Outbox.RELAY_PREFIX + "new", Position.START);
    save(Outbox.RELAY_PREFIX + "old", readOutbox().getLast().position());
    assertEquals(0, storage.outbox().prune(100), "O5: one relay has passed nothing");
    assertEquals(List.of("one", "two"), messages(), "O5: all is there");
  }

  @Test
  void O5_only_what_every_relay_has_passed_is_pruned() {
    for (int i = 0; i < 6; i++) {
      append(STREAM, sending("m" + i));
    }
    List<OutboxMessage> all = readOutbox();
    assertEquals(6, all.size(), "O1: all messages");
    save(Outbox.RELAY_PREFIX + "a/0", all.get(4).position());
    save(Outbox.RELAY_PREFIX + "a/1", all.get(2).position());
    save("other/view", all.get(0).position());
    assertEquals(3, storage.outbox().prune(100), "O5: what both relays have passed");
    assertEquals(List.of("m3", "m4", "m5"), messages(), "O5: the rest stays");
    assertEquals(0, storage.outbox().prune(100), "O5: nothing more");
    assertEquals(6, readLog().size(), "S1: events are never pruned");
  }

  @Test
  void O5_an_instance_that_reads_nothing_prunes_what_others_have_passed() {
    Storage cleaner = open();
    assertEquals(0, cleaner.outbox().prune(100), "O5: no relay has passed anything");
    append(STREAM, sending("m0"), sending("m1"), sending("m2"));
    append(OTHER, sending("m3"));
    save(Outbox.RELAY_PREFIX + "a", readOutbox().get(1).position());
    assertEquals(2, cleaner.outbox().prune(100), "O5: what the relay of another instance passed");
    assertEquals(List.of("m2", "m3"), messages(), "O5: the rest stays");
  }

  @Test
  void O5_pruning_takes_the_oldest_and_no_more_than_asked_for() {
    append(STREAM, IntStream.range(0, 7).mapToObj(i -> sending("m" + i)).toArray(NewEvent[]::new));
    save(Outbox.RELAY_PREFIX + "a", readOutbox().get(5).position());
    assertEquals(4, storage.outbox().prune(4), "O5: at most 4");
    assertEquals(List.of("m4", "m5", "m6"), messages(), "O5: the oldest are gone");
    assertEquals(2, storage.outbox().prune(4), "O5: what is left to prune");
    assertEquals(List.of("m6"), messages(), "O5: what the relay has not passed stays");
  }

  @Test
  void O5_pruning_moves_neither_the_head_nor_what_is_appended_later() {
    Append append = any(STREAM, sending("one"), sending("two"));
    AppendResult first = storage.eventStore().append(append);
    Position head = readOutbox().getLast().position();
    save(Outbox.RELAY_PREFIX + "a", head);
    assertEquals(head, storage.outbox().head(), "O5: the head");
    assertEquals(2, storage.outbox().prune(10), "O5: all is pruned");
    assertEquals(head, storage.outbox().head(), "O5: the head stays where it was");
    assertEquals(0, storage.outbox().count(Position.START), "O5: nothing to be read");
    assertEquals(first, storage.eventStore().append(append), "S6: the result of the repetition");
    assertEquals(List.of(), messages(), "O5: a repeated append brings no pruned message back");
    restart();
    assertEquals(head, storage.outbox().head(), "O5: the head stays, after a restart too");
    append(STREAM, sending("three"));
    List<OutboxMessage> next = readOutbox(storage, head, 10);
    assertEquals(List.of("three"), messageTexts(next), "O2: what is new lies behind the old head");
    assertEquals(next.getLast().position(), storage.outbox().head(), "O5: the new head");
  }

  @Test
  void O5_what_is_held_open_while_others_are_pruned_is_not_lost() {
    append(STREAM, sending("before"));
    HeldAppend held = fixture.hold(any(OTHER, sending("late")));
    Task<AppendResult> beside = appendBeside(THIRD, sending("beside"));
    List<OutboxMessage> seen = readOutbox();
    Task<Integer> pruning =
        Task.start(
            () -> {
              save(Outbox.RELAY_PREFIX + "a", seen.getLast().position());
              return storage.outbox().prune(100);
            });
    if (can(Capability.PARALLEL_APPENDS)) {
      pruning.result();
    }
    held.commit();
    beside.result();
    assertEquals(seen.size(), pruning.result(), "O5: what the relay has seen is pruned");
    assertEquals(
        3,
        seen.size() + readOutbox(storage, seen.getLast().position(), 10).size(),
        "O5: what the relay had not seen is there");
  }

  @Test
  void O2_messages_behind_a_position_are_counted() {
    Storage other = open();
    for (Storage asked : List.of(storage, other)) {
      assertEquals(Position.START, asked.outbox().head(), "O2: the head of nothing");
      assertEquals(0, asked.outbox().count(Position.START), "O2: nothing");
    }
    append(STREAM, sending("one"), event("kept", "two"), sending("three"));
    assertEquals(2, storage.outbox().count(Position.START), "O2: messages, not events");
    assertEquals(1, storage.outbox().count(readOutbox().getFirst().position()), "O2: behind it");
    assertEquals(0, storage.outbox().count(storage.outbox().head()), "O2: behind the head");
    assertEquals(
        storage.outbox().head(),
        other.outbox().head(),
        "O2: the head, asked through an instance that was open before");
    assertEquals(2, other.outbox().count(Position.START), "O2: counted through it");
  }

  private void save(String name, Position position) {
    storage.checkpoints().save(Checkpoint.first(name, position, Payload.EMPTY, 0));
  }

  private List<String> messages() {
    return messageTexts(readOutbox());
  }
}
