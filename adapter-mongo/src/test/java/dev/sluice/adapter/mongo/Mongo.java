package dev.sluice.adapter.mongo;

import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import dev.sluice.testservers.MongoServer;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** What the tests of this module share: one client, events, and commits that are held. */
final class Mongo {

  static final MongoClient CLIENT = MongoClients.create(MongoServer.shared().uri());
  static final long SECONDS = 20;

  private Mongo() {}

  static String newDatabase() {
    return MongoServer.shared().newDatabaseName();
  }

  /** A client that gives up soon, through a proxy. */
  static MongoClient impatient(int port) {
    return MongoClients.create(
        MongoClientSettings.builder()
            .applyConnectionString(
                new ConnectionString("mongodb://localhost:" + port + "/?directConnection=true"))
            .applyToClusterSettings(c -> c.serverSelectionTimeout(2, TimeUnit.SECONDS))
            .applyToSocketSettings(s -> s.readTimeout(5, TimeUnit.SECONDS))
            .build());
  }

  static NewEvent event(String data) {
    return event(EventIds.next(), data, 0);
  }

  static NewEvent event(UUID id, String data, int messages) {
    List<IntegrationMessage> made = new ArrayList<>();
    for (int i = 0; i < messages; i++) {
      made.add(
          new IntegrationMessage(
              EventIds.derived(id, "m" + i),
              "published",
              "key",
              "subject",
              Instant.parse("2026-01-02T03:04:05.000678Z"),
              Payload.ofUtf8("{\"n\":" + i + "}"),
              Optional.empty(),
              Optional.of("cause")));
    }
    return new NewEvent(
        id,
        "happened",
        Instant.parse("2026-01-02T03:04:05.678901Z"),
        Payload.ofUtf8(data),
        Payload.EMPTY,
        made);
  }

  static Append append(String id, ExpectedVersion expected, NewEvent... events) {
    return new Append(StreamId.of("account", id), expected, List.of(events));
  }

  static AppendResult append(Storage storage, String id, String data) {
    return storage.eventStore().append(append(id, ExpectedVersion.any(), event(data)));
  }

  /** The payloads of everything that can be read now, in order. */
  static List<String> log(Storage storage) {
    List<String> texts = new ArrayList<>();
    Position after = Position.START;
    LogPage page;
    do {
      page = storage.globalLog().read(after, EventFilter.ALL, 100);
      page.events().forEach(event -> texts.add(event.data().toUtf8()));
      after = page.next();
    } while (page.more());
    return texts;
  }

  static List<String> texts(List<RecordedEvent> events) {
    return events.stream().map(event -> event.data().toUtf8()).toList();
  }

  /** An append that has drawn its number and waits before its insert. */
  static final class Held implements AutoCloseable {
    private final CountDownLatch drawn = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);
    private volatile @Nullable Throwable end;
    private final MongoStorage storage;
    private final CompletableFuture<AppendResult> result;

    Held(String database, Append append) {
      this(CLIENT, database, append, () -> {});
    }

    Held(MongoClient client, String database, Append append, Runnable beforeInsert) {
      storage =
          MongoStorage.builder(client, database)
              .betweenDrawAndInsert(
                  () -> {
                    drawn.countDown();
                    await(released);
                    switch (end) {
                      case RuntimeException orderly -> throw orderly;
                      case Error sudden -> throw sudden;
                      case null, default -> beforeInsert.run();
                    }
                  })
              .build();
      result =
          CompletableFuture.supplyAsync(
              () -> storage.eventStore().append(append), Thread.ofPlatform().daemon()::start);
      await(drawn);
    }

    /** Lets it insert, and waits for what comes of it. */
    AppendResult release() throws InterruptedException, TimeoutException {
      released.countDown();
      try {
        return result.get(SECONDS, TimeUnit.SECONDS);
      } catch (ExecutionException e) {
        if (e.getCause() instanceof RuntimeException cause) {
          throw cause;
        }
        throw new AssertionError(e);
      }
    }

    /** The append fails, and the writer can still tidy up. */
    void fail() {
      endWith(new IllegalStateException("this append fails"));
    }

    private void endWith(Throwable cause) {
      end = cause;
      released.countDown();
      try {
        result.handle((done, failure) -> done).get(SECONDS, TimeUnit.SECONDS);
      } catch (InterruptedException | ExecutionException | TimeoutException e) {
        throw new AssertionError(e);
      }
    }

    boolean isDone() {
      return result.isDone();
    }

    /** The writer dies: what it holds is never inserted. */
    @Override
    public void close() {
      endWith(new Error("this writer died"));
      storage.close();
    }
  }

  static void await(CountDownLatch latch) {
    try {
      if (!latch.await(SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("nobody came within " + SECONDS + " s");
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** For where no session may be used; a standalone server has none to give. */
  static ClientSession noSession() {
    return (ClientSession)
        Proxy.newProxyInstance(
            Mongo.class.getClassLoader(),
            new Class<?>[] {ClientSession.class},
            (proxy, method, arguments) -> {
              throw new AssertionError("a session was used on a standalone server");
            });
  }

  static MongoStorage patient(String database) {
    return MongoStorage.builder(CLIENT, database).fillAfter(Duration.ofHours(1)).build();
  }

  static MongoStorage quick(String database) {
    return quick(CLIENT, database);
  }

  static MongoStorage quick(MongoClient client, String database) {
    return MongoStorage.builder(client, database).fillAfter(Duration.ZERO).build();
  }
}
