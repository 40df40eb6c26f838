package dev.sluice.adapter.mongo;

import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.event.CommandListener;
import com.mongodb.event.CommandStartedEvent;
import dev.sluice.testservers.MongoServer;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.bson.BsonDocument;
import org.bson.BsonString;

/** What a client sends, in the order in which it does. */
final class Commands implements CommandListener {

  private final List<BsonDocument> sent = new CopyOnWriteArrayList<>();
  private final Consumer<BsonDocument> beforeSending;

  Commands() {
    this(command -> {});
  }

  /**
   * Listens.
   *
   * @param beforeSending called by the thread that sends
   */
  Commands(Consumer<BsonDocument> beforeSending) {
    this.beforeSending = beforeSending;
  }

  /** A client of the shared server. */
  MongoClient client() {
    return client(MongoServer.shared().uri());
  }

  MongoClient client(String uri) {
    return MongoClients.create(
        MongoClientSettings.builder()
            .applyConnectionString(new ConnectionString(uri))
            .applyToClusterSettings(c -> c.serverSelectionTimeout(10, TimeUnit.SECONDS))
            .addCommandListener(this)
            .build());
  }

  @Override
  public void commandStarted(CommandStartedEvent event) {
    // A copy: the event's own is gone when this returns.
    BsonDocument command = BsonDocument.parse(event.getCommand().toJson());
    sent.add(command);
    beforeSending.accept(command);
  }

  List<BsonDocument> all() {
    return List.copyOf(sent);
  }

  void forget() {
    sent.clear();
  }

  /** Those of one kind to one collection. */
  List<BsonDocument> all(String name, String collection) {
    return sent.stream().filter(command -> is(command, name, collection)).toList();
  }

  static boolean is(BsonDocument command, String name, String collection) {
    return new BsonString(collection).equals(command.get(name));
  }

  /** Whether it inserts a filler. */
  static boolean isFiller(BsonDocument command) {
    return is(command, "insert", Schema.COMMITS)
        && command.getArray("documents").getFirst().asDocument().containsKey(Fields.FILLER);
  }
}
