package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.event;
import static dev.sluice.adapter.mongo.Mongo.log;
import static org.assertj.core.api.Assertions.assertThat;

import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import de.bwaldvogel.mongo.MongoServer;
import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.StoredEvent;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.store.VersionConflictException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.bson.BsonDocument;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A standalone server that dies with commits that its journal does not have, and that were read
 * before: at each moment of what a process does after that, once.
 */
class CrashTest {

  private static final StreamId STREAM = StreamId.of("account", "1");

  private final CrashingBackend backend = new CrashingBackend();
  private final MongoServer server = new MongoServer(backend);
  private final AtomicInteger commandsLeft = new AtomicInteger(Integer.MAX_VALUE);
  private final Commands commands =
      new Commands(
          command -> {
            if (commandsLeft.decrementAndGet() == 0) {
              backend.crash();
            }
          });
  private MongoClient client;
  private MongoClient others;

  @BeforeEach
  void start() {
    String uri = server.bindAndGetConnectionString();
    client = commands.client(uri);
    others = new Commands().client(uri);
  }

  @AfterEach
  void stop() {
    client.close();
    others.close();
    server.shutdownNow();
  }

  /** What happens to one process, on a database of its own, with a crash somewhere in it. */
  private interface Story {

    /** Up to where the crash may come: what the process has done and read so far. */
    void begin(MongoStorage process, MongoStorage other, MongoStorage unanswered);

    /** With a crash before one of its commands, or after it. */
    void goOn(MongoStorage process);

    /** What must be true after that. */
    void check(MongoStorage process, MongoStorage other);
  }

  /** Once for each command that the process sends. */
  private void crashAtEachCommandOf(Story story) {
    boolean crashed = true;
    int n = 1;
    for (; crashed; n++) {
      String database = "db" + n;
      try (MongoStorage other = Mongo.quick(others, database);
          // Its appends are seen, and are not in the journal.
          MongoStorage unanswered =
              MongoStorage.builder(others, database).writeConcern(WriteConcern.W1).build();
          MongoStorage process = Mongo.quick(client, database)) {
        story.begin(process, other, unanswered);
        commandsLeft.set(n);
        story.goOn(process);
        crashed = commandsLeft.getAndSet(Integer.MAX_VALUE) <= 0;
        backend.crash();
        story.check(process, other);
      }
    }
    assertThat(n).as("crashes").isGreaterThan(2);
  }

  @ParameterizedTest
  @CsvSource({"2, true", "2, false", "-1, true", "-1, false"})
  void S2_S1_an_append_behind_a_commit_that_was_read_leaves_no_gap(int expects, boolean loads) {
    ExpectedVersion expected =
        expects < 0 ? ExpectedVersion.any() : ExpectedVersion.exactly(expects);
    crashAtEachCommandOf(
        new Story() {
          private Optional<AppendResult> result = Optional.empty();

          @Override
          public void begin(MongoStorage process, MongoStorage other, MongoStorage unanswered) {
            append(other, "1", "e1");
            append(unanswered, "1", "e2");
            if (loads) {
              assertThat(process.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(2);
            }
            result = Optional.empty();
          }

          @Override
          public void goOn(MongoStorage process) {
            try {
              Append e3 = append("1", expected, event("e3"));
              result = Optional.of(process.eventStore().append(e3));
            } catch (VersionConflictException e) {
              assertThat(e.actual()).isEqualTo(1);
            }
          }

          @Override
          public void check(MongoStorage process, MongoStorage other) {
            List<RecordedEvent> stream =
                other.eventStore().read(STREAM, StreamRange.forwards(1, 10));
            for (int i = 0; i < stream.size(); i++) {
              assertThat(stream.get(i).version()).as("S2 in %s", stream).isEqualTo(i + 1);
            }
            if (expects < 0 || result.isPresent()) {
              assertThat(stream.getLast().data().toUtf8()).as("S1").isEqualTo("e3");
              assertThat(stream.getLast().version()).isEqualTo(result.orElseThrow().version());
            }
          }
        });
  }

  @ParameterizedTest
  @CsvSource({"1", "-1"})
  void S1_S6_an_append_that_is_repeated_is_confirmed_when_it_is_safe(int expects) {
    ExpectedVersion expected =
        expects < 0 ? ExpectedVersion.any() : ExpectedVersion.exactly(expects);
    crashAtEachCommandOf(
        new Story() {
          private Append append = append("1", expected, event("e2"));
          private Optional<AppendResult> result = Optional.empty();

          @Override
          public void begin(MongoStorage process, MongoStorage other, MongoStorage unanswered) {
            append = append("1", expected, event("e2"));
            append(other, "1", "e1");
            unanswered.eventStore().append(append);
          }

          @Override
          public void goOn(MongoStorage process) {
            result = Optional.of(process.eventStore().append(append));
          }

          @Override
          public void check(MongoStorage process, MongoStorage other) {
            assertThat(log(other)).containsExactly("e1", "e2");
            assertThat(other.eventStore().append(append)).isEqualTo(result.orElseThrow());
          }
        });
  }

  @Test
  void S1_an_event_is_found_where_it_stays() {
    crashAtEachCommandOf(
        new Story() {
          private Append append = append("1", ExpectedVersion.any(), event("e"));
          private Optional<StoredEvent> found = Optional.empty();

          @Override
          public void begin(MongoStorage process, MongoStorage other, MongoStorage unanswered) {
            append = append("1", ExpectedVersion.any(), event("e"));
            unanswered.eventStore().append(append);
          }

          @Override
          public void goOn(MongoStorage process) {
            found = process.eventStore().find(append.ids().getFirst());
          }

          @Override
          public void check(MongoStorage process, MongoStorage other) {
            assertThat(other.eventStore().find(append.ids().getFirst())).isEqualTo(found);
          }
        });
  }

  @Test
  void G2_O1_a_reader_was_given_nothing_that_is_gone_and_misses_nothing() {
    crashAtEachCommandOf(
        new Story() {
          private final List<RecordedEvent> events = new ArrayList<>();
          private Position next = Position.START;
          private final List<OutboxMessage> messages = new ArrayList<>();

          @Override
          public void begin(MongoStorage process, MongoStorage other, MongoStorage unanswered) {
            events.clear();
            next = Position.START;
            messages.clear();
            send(other, "1", "e1");
            goOn(process);
            assertThat(events).hasSize(1);
            send(unanswered, "1", "e2");
          }

          private void send(MongoStorage storage, String stream, String data) {
            storage
                .eventStore()
                .append(append(stream, ExpectedVersion.any(), event(EventIds.next(), data, 1)));
          }

          @Override
          public void goOn(MongoStorage process) {
            LogPage page = process.globalLog().read(next, EventFilter.ALL, 10);
            events.addAll(page.events());
            next = page.next();
            Position sent = messages.isEmpty() ? Position.START : messages.getLast().position();
            messages.addAll(process.outbox().read(sent, 10));
          }

          @Override
          public void check(MongoStorage process, MongoStorage other) {
            // Gets the number that the commit had which is gone.
            send(other, "2", "e3");
            goOn(process);
            assertThat(events)
                .isEqualTo(other.globalLog().read(Position.START, EventFilter.ALL, 10).events())
                .extracting(event -> event.data().toUtf8())
                .contains("e1", "e3");
            assertThat(messages)
                .isEqualTo(other.outbox().read(Position.START, 10))
                .hasSameSizeAs(events);
          }
        });
  }

  /** The README's numbers. */
  @Test
  void an_append_asks_for_more_only_where_its_predecessor_may_vanish() {
    try (MongoStorage other = MongoStorage.create(others, "db");
        MongoStorage process = MongoStorage.create(client, "db")) {
      append(other, "1", "e1");
      assertThat(process.eventStore().read(STREAM, StreamRange.forwards(1, 10))).hasSize(1);
      assertThat(sentForAppend(process))
          .containsExactly("find", "update", "findAndModify", "insert");
      assertThat(sentForAppend(process)).as("own").containsExactly("findAndModify", "insert");
      append(other, "2", "e");
      append(other, "1", "e4");
      assertThat(log(process)).hasSize(5);
      commands.forget();
      process.eventStore().append(append("2", ExpectedVersion.exactly(1), event("e")));
      assertThat(sent())
          .as("known from the log")
          .containsExactly("find", "findAndModify", "insert");
    }
  }

  private List<String> sentForAppend(MongoStorage process) {
    commands.forget();
    append(process, "1", "e");
    return sent();
  }

  private List<String> sent() {
    return commands.all().stream().map(BsonDocument::getFirstKey).toList();
  }
}
