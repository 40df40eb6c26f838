package dev.sluice.adapter.mongo;

import static dev.sluice.adapter.mongo.Mongo.append;
import static dev.sluice.adapter.mongo.Mongo.event;
import static org.assertj.core.api.Assertions.assertThat;

import com.mongodb.client.MongoClient;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.StreamRange;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bson.BsonArray;
import org.bson.BsonDocument;
import org.bson.BsonValue;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Whatever is asked of the server, an index answers it without a sort in memory: each command that
 * goes out is held against the indexes of its collection, as a planner would.
 */
class IndexUseTest {

  /** A condition and an order on a collection. */
  private record Query(String collection, BsonDocument filter, BsonDocument sort) {

    /** The name of the index that serves it best, if one does. */
    @Nullable String servedBy() {
      Map<String, Boolean> conditions = new LinkedHashMap<>();
      flatten(filter, conditions);
      int best = used(List.of(Fields.ID), conditions);
      String name = best > 0 ? Fields.ID : null;
      for (Schema.Index index : Schema.INDEXES) {
        if (index.collection().equals(collection)) {
          int used = used(List.copyOf(index.keys().toBsonDocument().keySet()), conditions);
          if (used > best) {
            best = used;
            name = index.name();
          }
        }
      }
      return name;
    }

    /** How many keys help; none if they don't give the order. Fixed ones first, then a range. */
    private int used(List<String> keys, Map<String, Boolean> conditions) {
      int fixed = 0;
      while (fixed < keys.size() && Boolean.TRUE.equals(conditions.get(keys.get(fixed)))) {
        fixed++;
      }
      boolean ordered =
          sort.isEmpty()
              || (sort.size() == 1
                  && fixed < keys.size()
                  && sort.getFirstKey().equals(keys.get(fixed)));
      if (!ordered) {
        return 0;
      }
      boolean ranges = fixed < keys.size() && conditions.containsKey(keys.get(fixed));
      // Every document, in the order of an index: only where all of them are wanted.
      boolean all = conditions.isEmpty() && !sort.isEmpty();
      return fixed + (ranges || all ? 1 : 0);
    }

    /** Whether a field is fixed to one or some values, or only bounded. */
    private static void flatten(BsonDocument filter, Map<String, Boolean> conditions) {
      filter.forEach(
          (field, condition) -> {
            if (field.equals("$and")) {
              condition.asArray().forEach(part -> flatten(part.asDocument(), conditions));
            } else {
              conditions.merge(field, isFixed(condition), Boolean::logicalOr);
            }
          });
    }

    private static boolean isFixed(BsonValue condition) {
      return !condition.isDocument()
          || condition.asDocument().keySet().equals(Set.of("$in"))
          || condition.asDocument().keySet().equals(Set.of("$eq"));
    }
  }

  @Test
  void every_query_has_an_index_and_every_index_a_query() {
    Commands commands = new Commands();
    String database = Mongo.newDatabase();
    try (MongoClient client = commands.client()) {
      useEverything(client, database);
      useEverything(client, database);
    }
    List<Query> queries = commands.all().stream().flatMap(c -> queriesOf(c).stream()).toList();
    assertThat(queries).hasSizeGreaterThan(60);
    assertThat(queries).allSatisfy(query -> assertThat(query.servedBy()).isNotNull());
    Set<String> used = new TreeSet<>();
    queries.forEach(query -> used.add(String.valueOf(query.servedBy())));
    assertThat(used).containsAll(Schema.INDEXES.stream().map(Schema.Index::name).toList());
  }

  @Test
  void a_query_without_an_index_would_be_noticed() {
    BsonDocument none = new BsonDocument();
    BsonDocument byVersion = BsonDocument.parse("{version: 1}");
    BsonDocument ofStream = BsonDocument.parse("{category: 'a', stream: '1'}");
    String commits = Schema.COMMITS;
    assertThat(new Query(commits, ofStream, byVersion).servedBy()).isEqualTo("stream_version");
    assertThat(new Query(commits, ofStream, BsonDocument.parse("{count: 1}")).servedBy()).isNull();
    assertThat(new Query(commits, none, byVersion).servedBy()).isNull();
    assertThat(new Query(commits, BsonDocument.parse("{stream: '1'}"), none).servedBy()).isNull();
    assertThat(new Query(commits, BsonDocument.parse("{stream: '1'}"), byVersion).servedBy())
        .isNull();
    assertThat(new Query(commits, BsonDocument.parse("{count: {$gt: 1}}"), none).servedBy())
        .isNull();
    assertThat(
            new Query(
                    commits,
                    BsonDocument.parse("{category: {$gt: 'a'}}"),
                    BsonDocument.parse("{_id: 1}"))
                .servedBy())
        .isNull();
    assertThat(new Query(commits, none, none).servedBy()).isNull();
  }

  private static List<Query> queriesOf(BsonDocument command) {
    String name = command.getFirstKey();
    BsonDocument none = new BsonDocument();
    List<Query> queries = new ArrayList<>();
    switch (name) {
      case "find" ->
          queries.add(
              new Query(
                  collection(name, command),
                  command.getDocument("filter", none),
                  command.getDocument("sort", none)));
      case "findAndModify" ->
          queries.add(new Query(collection(name, command), command.getDocument("query"), none));
      case "aggregate" ->
          queries.add(
              new Query(
                  collection(name, command),
                  command.getArray("pipeline").getFirst().asDocument().getDocument("$match"),
                  none));
      case "update", "delete" -> {
        for (BsonValue statement : command.getArray(name + "s", new BsonArray())) {
          queries.add(
              new Query(collection(name, command), statement.asDocument().getDocument("q"), none));
        }
      }
      default -> {
        // Asks for no documents.
      }
    }
    queries.removeIf(query -> !query.collection().startsWith("sluice_"));
    return queries;
  }

  private static String collection(String name, BsonDocument command) {
    return command.getString(name).getValue();
  }

  static void useEverything(MongoClient client, String database) {
    try (MongoStorage storage =
        MongoStorage.builder(client, database).fillAfter(Duration.ZERO).build()) {
      var store = storage.eventStore();
      String id = EventIds.next().toString();
      StreamId stream = StreamId.of("account", id);
      var first = append(id, ExpectedVersion.noStream(), event(EventIds.next(), "1", 2));
      store.append(first);
      store.append(first);
      store.append(append(id, ExpectedVersion.any(), event("2"), event("3")));
      store.append(append(id, ExpectedVersion.streamExists(), event("4")));
      assertThat(store.find(first.ids().getFirst())).isPresent();
      assertThat(store.read(stream, StreamRange.forwards(3, 10))).hasSize(2);
      assertThat(store.read(stream, StreamRange.last(3))).hasSize(3);
      try (Mongo.Held dies =
          new Mongo.Held(database, append("dead", ExpectedVersion.any(), event("never")))) {
        assertThat(dies.isDone()).isFalse();
      }
      store.append(append(id, ExpectedVersion.any(), event(EventIds.next(), "5", 1)));
      for (EventFilter filter :
          List.of(
              EventFilter.ALL,
              EventFilter.categories("account"),
              EventFilter.categories("account", "order"),
              EventFilter.types("happened"),
              EventFilter.types("happened", "other"),
              EventFilter.categories("account").withTypes(Set.of("happened")))) {
        var page = storage.globalLog().read(Position.START, filter, 3);
        assertThat(page.events()).isNotEmpty();
        assertThat(storage.globalLog().read(page.next(), filter, 100).events()).isNotEmpty();
        assertThat(storage.globalLog().count(Position.START, filter)).isPositive();
      }
      storage.globalLog().status();
      var messages = storage.outbox().read(Position.START, 10);
      assertThat(messages).isNotEmpty();
      storage.outbox().head();
      String relay = "relay/" + id;
      storage
          .checkpoints()
          .save(Checkpoint.first(relay, messages.getFirst().position(), Payload.EMPTY, 0));
      Checkpoint saved = storage.checkpoints().load(relay).orElseThrow();
      storage.checkpoints().save(saved.next(messages.getLast().position(), Payload.EMPTY, 0));
      storage.outbox().prune(1);
      storage.outbox().prune(100);
      storage.snapshots().save(new Snapshot(stream, "v1", 1, Payload.EMPTY));
      assertThat(storage.snapshots().load(stream, "v1")).isPresent();
      storage.snapshots().delete(stream);
      var lease = storage.leases().acquire(id, "me", Duration.ofMinutes(1)).orElseThrow();
      storage.leases().renew(lease, Duration.ofMinutes(1));
      storage.leases().release(lease);
      storage.doctor();
      storage.checkpoints().delete(relay);
    }
  }
}
