package dev.sluice.adapter.mongo;

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The embedded server as a standalone that shows writes before its journal has them, and that can
 * be made to lose these. The journal is one: a write that asks for it brings along all before it. A
 * storage with a write concern below it stands for an append whose answer has not come yet. The
 * connections stay, as if the driver had opened new ones meanwhile.
 */
final class CrashingBackend extends MemoryBackend {

  private record Write(String database, String collection, Object id, @Nullable Document before) {}

  private final List<Write> unjournaled = new ArrayList<>();

  @Override
  public synchronized Document handleCommand(
      Channel channel, String database, String command, Document query) {
    List<Write> writes =
        switch (command.toLowerCase(Locale.ROOT)) {
          case "insert" -> inserts(database, query);
          case "findandmodify" -> List.of(draw(database, query));
          default -> List.of();
        };
    Document answer = super.handleCommand(channel, database, command, query);
    // What was refused was there before, and if the journal does not have it, it is listed already.
    if (!answer.containsKey("writeErrors")) {
      unjournaled.addAll(writes);
    }
    if (query.get("writeConcern") instanceof Document concern
        && Boolean.TRUE.equals(concern.get("j"))) {
      unjournaled.clear();
    }
    return answer;
  }

  private static List<Write> inserts(String database, Document query) {
    List<Write> writes = new ArrayList<>();
    String collection = (String) Objects.requireNonNull(query.get("insert"));
    for (Object document : (Collection<?>) Objects.requireNonNull(query.get("documents"))) {
      Object id = Objects.requireNonNull(((Document) document).get("_id"));
      writes.add(new Write(database, collection, id, null));
    }
    return writes;
  }

  private Write draw(String database, Document query) {
    String collection = (String) Objects.requireNonNull(query.get("findAndModify"));
    Object id =
        Objects.requireNonNull(((Document) Objects.requireNonNull(query.get("query"))).get("_id"));
    Document before =
        collection(database, collection)
            .handleQueryAsStream(new Document("_id", id))
            .findFirst()
            .orElse(null);
    return new Write(database, collection, id, before == null ? null : before.cloneDeeply());
  }

  private MongoCollection<?> collection(String database, String name) {
    return resolveDatabase(database).resolveCollection(name, false);
  }

  /** The server dies, and is back at once with what its journal has. */
  synchronized void crash() {
    for (Write write : unjournaled.reversed()) {
      MongoCollection<?> collection = collection(write.database(), write.collection());
      collection.deleteDocuments(new Document("_id", write.id()), 1);
      if (write.before() != null) {
        collection.addDocument(write.before());
      }
    }
    unjournaled.clear();
  }
}
