package dev.sluice.testservers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import org.bson.Document;
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
