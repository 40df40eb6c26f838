package dev.sluice.adapter.mongo;

import com.mongodb.client.ClientSession;
import dev.sluice.core.coordination.CheckpointStore;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.Storage;
import dev.sluice.tck.CallerTransaction;
import dev.sluice.tck.Capability;
import dev.sluice.tck.HeldAppend;
import dev.sluice.tck.StorageFixture;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeoutException;
import org.bson.Document;

/** A database of its own on the server that all tests share. */
final class MongoFixture implements StorageFixture {

  // Long enough that most held commits end before a reader fills them over, as in production.
  private static final Duration FILL_AFTER = Duration.ofMillis(250);

  private final String database = Mongo.newDatabase();
  private final List<Mongo.Held> held = new CopyOnWriteArrayList<>();

  @Override
  public String adapter() {
    return "sluice-adapter-mongo";
  }

  @Override
  public Set<Capability> capabilities() {
    EnumSet<Capability> capabilities = EnumSet.of(Capability.PARALLEL_APPENDS);
    try (MongoStorage storage = open()) {
      if (storage.joinsSessions()) {
        capabilities.add(Capability.CALLER_TRANSACTIONS);
      }
    }
    return capabilities;
  }

  @Override
  public MongoStorage open() {
    return MongoStorage.builder(Mongo.CLIENT, database).fillAfter(FILL_AFTER).build();
  }

  @Override
  public HeldAppend hold(Append append) {
    Mongo.Held writer = new Mongo.Held(database, append);
    held.add(writer);
    return new HeldAppend() {
      @Override
      public AppendResult commit() {
        try {
          return writer.release();
        } catch (InterruptedException | TimeoutException e) {
          throw new AssertionError(e);
        }
      }

      @Override
      public void rollBack() {
        writer.fail();
      }

      @Override
      public void kill() {
        writer.close();
      }
    };
  }

  @Override
  public CallerTransaction beginTransaction() {
    MongoStorage storage = open();
    if (!storage.joinsSessions()) {
      try (storage) {
        storage.eventStore(Mongo.noSession());
        throw new AssertionError("a standalone server joined a session");
      }
    }
    ClientSession session = Mongo.CLIENT.startSession();
    session.startTransaction();
    return new CallerTransaction() {
      @Override
      public EventStore eventStore() {
        return storage.eventStore(session);
      }

      @Override
      public CheckpointStore checkpoints() {
        return storage.checkpoints(session);
      }

      @Override
      public void writeSomethingElse() {
        Mongo.CLIENT
            .getDatabase(database)
            .getCollection("something_else")
            .insertOne(session, new Document());
      }

      @Override
      public void commit() {
        session.commitTransaction();
      }

      @Override
      public void rollBack() {
        session.abortTransaction();
      }

      @Override
      public void close() {
        session.close();
        storage.close();
      }
    };
  }

  @Override
  public void close() {
    held.forEach(Mongo.Held::close);
    Mongo.CLIENT.getDatabase(database).drop();
  }

  @Override
  public String toString() {
    try (Storage storage = open()) {
      return storage.describe();
    }
  }
}
