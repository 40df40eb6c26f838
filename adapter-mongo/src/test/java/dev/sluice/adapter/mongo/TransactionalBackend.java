package dev.sluice.adapter.mongo;

import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The embedded server as the primary of a replica set, for what is there only with transactions. It
 * keeps the inserts of an open transaction from all others; a write of theirs that meets one waits,
 * as the real server lets it wait, until the transaction ends or the command's time is over. A
 * transaction does not see what others insert after its first command. Only inserts; it tests what
 * the adapter does, not what a server does.
 */
final class TransactionalBackend extends MemoryBackend {

  private static final int WRITE_CONFLICT = 112;
  private static final int OUT_OF_TIME = 50;
  // So long a command that has a limit waits here, whatever its limit.
  private static final long SHORT_MILLIS = 200;

  private record Insert(String database, String collection, Document document) {

    boolean meets(Insert other) {
      if (!database.equals(other.database) || !collection.equals(other.collection)) {
        return false;
      }
      return Objects.equals(document.get("_id"), other.document.get("_id"))
          || (collection.equals(Schema.COMMITS)
              && (version(document).equals(version(other.document))
                  || ids(document).stream().anyMatch(ids(other.document)::contains)));
    }

    private static List<@Nullable Object> version(Document commit) {
      List<@Nullable Object> key = new ArrayList<>();
      for (String field : List.of(Fields.CATEGORY, Fields.STREAM, Fields.VERSION)) {
        key.add(commit.get(field));
      }
      return key;
    }

    private static List<@Nullable Object> ids(Document commit) {
      List<@Nullable Object> ids = new ArrayList<>();
      for (Object event : (Collection<?>) Objects.requireNonNull(commit.get(Fields.EVENTS))) {
        ids.add(((Document) event).get(Fields.EVENT_ID));
      }
      return ids;
    }
  }

  private final Map<Object, List<Insert>> open = new LinkedHashMap<>();

  /** What others have inserted since a transaction has begun. */
  private final Map<Object, List<Insert>> unseen = new LinkedHashMap<>();

  private final List<Insert> shownLater = new ArrayList<>();
  private boolean lags;

  /** From now on fillers are acknowledged, and reads don't show them until {@link #catchUp()}. */
  synchronized void lag() {
    lags = true;
  }

  synchronized void catchUp() {
    lags = false;
    shownLater.forEach(this::apply);
    shownLater.clear();
  }

  @Override
  public synchronized Document handleCommand(
      Channel channel, String database, String command, Document query) {
    switch (command.toLowerCase(Locale.ROOT)) {
      case "hello", "ismaster" -> {
        return asPrimary(channel, super.handleCommand(channel, database, "ismaster", query));
      }
      case "committransaction" -> {
        List<Insert> committed = end(query);
        committed.forEach(this::apply);
        unseen.values().forEach(others -> others.addAll(committed));
        return new Document("ok", 1.0);
      }
      case "aborttransaction" -> {
        end(query);
        return new Document("ok", 1.0);
      }
      case "insert" -> {
        return isInTransaction(query)
            ? insertInTransaction(channel, database, query)
            : insert(channel, database, query);
      }
      default -> {
        if (!isInTransaction(query)) {
          return super.handleCommand(channel, database, command, query);
        }
        List<Insert> own = open.computeIfAbsent(session(query), s -> new ArrayList<>());
        List<Insert> later = unseen.computeIfAbsent(session(query), s -> new ArrayList<>());
        later.forEach(this::takeBack);
        own.forEach(this::apply);
        try {
          return super.handleCommand(channel, database, command, query);
        } finally {
          own.forEach(this::takeBack);
          later.forEach(this::apply);
        }
      }
    }
  }

  private static Document asPrimary(Channel channel, Document answer) {
    String address = "localhost:" + ((InetSocketAddress) channel.localAddress()).getPort();
    return answer
        .append("setName", "pretended")
        .append("hosts", List.of(address))
        .append("me", address)
        .append("isWritablePrimary", true)
        .append("logicalSessionTimeoutMinutes", 30);
  }

  private static boolean isInTransaction(Document query) {
    return Boolean.FALSE.equals(query.get("autocommit"));
  }

  private static Object session(Document query) {
    return Objects.requireNonNull(query.get("lsid"));
  }

  private List<Insert> end(Document query) {
    List<Insert> inserts = open.remove(session(query));
    unseen.remove(session(query));
    notifyAll();
    return inserts == null ? List.of() : inserts;
  }

  private static List<Insert> inserts(String database, Document query) {
    List<Insert> inserts = new ArrayList<>();
    String collection = (String) Objects.requireNonNull(query.get("insert"));
    for (Object document : (Collection<?>) Objects.requireNonNull(query.get("documents"))) {
      inserts.add(new Insert(database, collection, (Document) document));
    }
    return inserts;
  }

  private Document insertInTransaction(Channel channel, String database, Document query) {
    List<Insert> wanted = inserts(database, query);
    for (Insert insert : wanted) {
      if (isMet(insert, session(query))) {
        return error(WRITE_CONFLICT, "WriteConflict")
            .append("errorLabels", List.of("TransientTransactionError"));
      }
    }
    List<Insert> own = open.computeIfAbsent(session(query), s -> new ArrayList<>());
    own.forEach(this::apply);
    Document answer = super.handleCommand(channel, database, "insert", copy(query, wanted));
    own.forEach(this::takeBack);
    if (answer.containsKey("writeErrors")) {
      // As the real one: an error ends the transaction.
      end(query);
    } else {
      wanted.forEach(this::takeBack);
      own.addAll(wanted);
    }
    return answer;
  }

  /** One document after the other, as the server does it at the latest when one of them waits. */
  private Document insert(Channel channel, String database, Document query) {
    List<Document> errors = new ArrayList<>();
    List<Insert> wanted = inserts(database, query);
    for (int i = 0; i < wanted.size(); i++) {
      Insert insert = wanted.get(i);
      if (!waitForEndOf(insert, query.get("maxTimeMS") != null)) {
        return error(OUT_OF_TIME, "operation exceeded time limit");
      }
      if (lags && insert.document().containsKey(Fields.FILLER)) {
        shownLater.add(insert);
        continue;
      }
      Document answer =
          super.handleCommand(channel, database, "insert", copy(query, List.of(insert)));
      if (!answer.containsKey("writeErrors")) {
        unseen.values().forEach(others -> others.add(insert));
      }
      if (answer.get("writeErrors") instanceof Collection<?> refused) {
        for (Object error : refused) {
          errors.add(new Document((Document) error).append("index", i));
        }
      }
    }
    Document answer = new Document("n", wanted.size() - errors.size());
    if (!errors.isEmpty()) {
      answer.append("writeErrors", errors);
    }
    return answer.append("ok", 1.0);
  }

  private boolean waitForEndOf(Insert insert, boolean hasLimit) {
    long millis = hasLimit ? SHORT_MILLIS : Mongo.SECONDS * 1000;
    long end = System.nanoTime() + millis * 1_000_000;
    while (isMet(insert, null)) {
      long left = (end - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        return false;
      }
      try {
        wait(left);
      } catch (InterruptedException e) {
        return false;
      }
    }
    return true;
  }

  private boolean isMet(Insert insert, @Nullable Object ownSession) {
    return open.entrySet().stream()
        .filter(transaction -> !transaction.getKey().equals(ownSession))
        .flatMap(transaction -> transaction.getValue().stream())
        .anyMatch(insert::meets);
  }

  private static Document copy(Document query, List<Insert> inserts) {
    Document copy = new Document(query);
    copy.put("documents", inserts.stream().map(insert -> insert.document().cloneDeeply()).toList());
    return copy;
  }

  private void apply(Insert insert) {
    resolveDatabase(insert.database())
        .resolveCollection(insert.collection(), false)
        .addDocument(insert.document().cloneDeeply());
  }

  private void takeBack(Insert insert) {
    resolveDatabase(insert.database())
        .resolveCollection(insert.collection(), false)
        .deleteDocuments(new Document("_id", insert.document().get("_id")), 1);
  }

  private static Document error(int code, String message) {
    return new Document("ok", 0.0).append("code", code).append("errmsg", message);
  }
}
