package dev.sluice.testservers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.IndexOptions;
import com.mongodb.client.model.Indexes;
import com.mongodb.client.model.Sorts;
import com.mongodb.client.model.Updates;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.bson.Document;
import org.bson.conversions.Bson;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class MongoServerTest {

  @Test
  void the_shared_server_stores_documents() {
    MongoServer server = MongoServer.shared();
    try (MongoClient client = MongoClients.create(server.uri())) {
      var collection = client.getDatabase(server.newDatabaseName()).getCollection("c");
      collection.insertOne(new Document("_id", 1).append("text", "forty-two"));
      assertThat(collection.find(new Document("_id", 1)).first())
          .containsEntry("text", "forty-two");
    }
  }

  /** The indexes are the one part of the embedded server that is ours: compared with a scan. */
  @Test
  void indexes_find_what_a_scan_finds() {
    MongoServer server = MongoServer.shared();
    Random random = new Random(42);
    try (MongoClient client = MongoClients.create(server.uri())) {
      var database = client.getDatabase(server.newDatabaseName());
      var indexed = database.getCollection("indexed");
      var scanned = database.getCollection("scanned");
      indexed.createIndex(Indexes.ascending("a", "s", "n"), new IndexOptions().unique(true));
      indexed.createIndex(Indexes.ascending("tags.t", "_id"));
      indexed.createIndex(Indexes.ascending("o"), new IndexOptions().sparse(true));
      // A condition that no plan knows makes the server look at all.
      Bson byScan = Filters.or(Filters.exists("_id"), Filters.exists("none"));
      int found = 0;
      for (int i = 0; i < 600; i++) {
        Document document =
            new Document("_id", (long) i)
                .append("a", "a" + random.nextInt(3))
                .append("s", "s" + random.nextInt(3))
                .append("n", i % 7 == 0 ? (Object) i : (Object) (long) i)
                .append("tags", List.of(new Document("t", random.nextInt(4)), new Document("t", 1)))
                .append("o", random.nextBoolean() ? (long) i : null);
        document.values().removeIf(Objects::isNull);
        indexed.insertOne(new Document(document));
        scanned.insertOne(document);
        if (i % 5 == 0) {
          Bson one = Filters.eq("_id", (long) random.nextInt(i + 1));
          Bson change = Updates.unset("o");
          indexed.updateOne(one, change);
          scanned.updateOne(one, change);
        }
        if (i % 9 == 0) {
          Bson one = Filters.eq("_id", (long) random.nextInt(i + 1));
          indexed.deleteOne(one);
          scanned.deleteOne(one);
        }
        long from = random.nextInt(i + 1);
        long to = from + random.nextInt(20) - 2;
        List<Bson> filters =
            List.of(
                Filters.and(Filters.gte("_id", from), Filters.lte("_id", to)),
                Filters.gt("_id", from),
                Filters.and(Filters.eq("a", "a1"), Filters.eq("s", "s2"), Filters.lt("n", to)),
                Filters.and(Filters.eq("a", "a0"), Filters.eq("s", "s0")),
                Filters.and(Filters.eq("tags.t", 2), Filters.gt("_id", from)),
                Filters.and(Filters.in("tags.t", 2, 3), Filters.lte("_id", to)),
                Filters.and(Filters.gte("o", from), Filters.lte("o", to)));
        List<Bson> sorts =
            List.of(
                Sorts.ascending("_id"),
                Sorts.descending("_id"),
                Sorts.ascending("n"),
                Sorts.descending("n"),
                Sorts.ascending("o", "_id"),
                Sorts.ascending("a", "_id"));
        Bson filter = filters.get(random.nextInt(filters.size()));
        Bson sort = sorts.get(random.nextInt(sorts.size()));
        int limit = random.nextInt(5);
        List<Document> expected =
            scanned
                .find(Filters.and(byScan, filter))
                .sort(sort)
                .limit(limit)
                .into(new ArrayList<>());
        assertThat(indexed.find(filter).sort(sort).limit(limit).into(new ArrayList<>()))
            .as("%s sorted by %s", filter, sort)
            .isEqualTo(expected);
        found += expected.size();
      }
      assertThat(found).isGreaterThan(1_000);
    }
  }

  @Test
  void an_existing_server_is_cleaned_up() {
    MongoServer server = MongoServer.explicit(MongoServer.shared().uri());
    try (MongoClient client = MongoClients.create(server.uri())) {
      String name = server.newDatabaseName();
      client.getDatabase(name).getCollection("c").insertOne(new Document());
      assertThat(client.listDatabaseNames()).contains(name);
      server.dropCreated();
      assertThat(client.listDatabaseNames()).doesNotContain(name);
    }
  }

  @Test
  void an_unreachable_explicit_server_is_named_in_one_message_without_its_password() {
    assertThatThrownBy(() -> MongoServer.explicit("mongodb://me:secret@localhost:1"))
        .hasMessageContaining("No MongoDB answers at mongodb://me:***@localhost:1")
        .hasMessageContaining("-Dsluice.test.mongodb.uri");
  }
}
