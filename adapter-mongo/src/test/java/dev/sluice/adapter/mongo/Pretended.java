package dev.sluice.adapter.mongo;

import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The embedded server as one that a test describes: what it says of itself and what it refuses. */
final class Pretended implements AutoCloseable {

  /** What a command is answered; null where the embedded server answers by itself. */
  interface Script {
    @Nullable Document answer(String command, Document query);
  }

  static final Consumer<Document> STANDALONE = hello -> {};

  static final Consumer<Document> REPLICA_SET = members("one:1");

  private final MemoryBackend data;
  private final MongoServer server;
  private volatile Consumer<Document> hello;
  private volatile Script script = (command, query) -> null;

  Pretended(Consumer<Document> hello) {
    this(hello, new MemoryBackend());
  }

  /** One of several servers with the same data, as the routers of a cluster are. */
  Pretended(Consumer<Document> hello, MemoryBackend data) {
    this.hello = hello;
    this.data = data;
    this.server = new MongoServer(new Backend());
  }

  private final class Backend extends MemoryBackend {
    @Override
    public Document handleCommand(
        Channel channel, String database, String command, Document query) {
      String name = command.toLowerCase(Locale.ROOT);
      Document instead = script.answer(name, query);
      if (instead != null) {
        return instead;
      }
      if (name.equals("hello") || name.equals("ismaster")) {
        Document answer = super.handleCommand(channel, database, "ismaster", query);
        hello.accept(answer);
        return answer;
      }
      return data.handleCommand(channel, database, command, query);
    }
  }

  static Consumer<Document> members(String... hosts) {
    return hello ->
        hello
            .append("setName", "rs0")
            .append("hosts", List.of(hosts))
            .append("isWritablePrimary", true)
            .append("logicalSessionTimeoutMinutes", 30);
  }

  static Document error(int code) {
    return new Document("ok", 0.0).append("code", code).append("errmsg", "injected");
  }

  /** From now on. */
  void saysOfItself(Consumer<Document> changed) {
    this.hello = changed;
  }

  /** From now on. */
  void answers(Script changed) {
    this.script = changed;
  }

  String uri() {
    return server.bindAndGetConnectionString();
  }

  MongoClient client() {
    return MongoClients.create(uri());
  }

  void goAway() {
    server.shutdownNow();
  }

  @Override
  public void close() {
    goAway();
  }
}
