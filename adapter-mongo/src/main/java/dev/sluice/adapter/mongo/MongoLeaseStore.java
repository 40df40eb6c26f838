package dev.sluice.adapter.mongo;

import com.mongodb.MongoException;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.MongoCursor;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.FindOneAndUpdateOptions;
import com.mongodb.client.model.ReturnDocument;
import com.mongodb.client.model.Sorts;
import com.mongodb.client.model.Updates;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.coordination.LeaseStore;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import org.bson.Document;

/**
 * One document for each name, which stays after the lease has ended, so that tokens only grow. All
 * times are the server's, in a sharded cluster the shard's; see {@link Database#now()}.
 */
final class MongoLeaseStore implements LeaseStore {

  private static final Date ENDED = Date.from(Instant.EPOCH);

  private final Database database;

  MongoLeaseStore(Database database) {
    this.database = database;
  }

  private MongoCollection<Document> leases() {
    return database.collection(Schema.LEASES);
  }

  @Override
  public Optional<Lease> acquire(String name, String owner, Duration duration) {
    requireMillisecond(duration);
    // Checks the name and the owner before anything is sent.
    Lease wanted =
        new Lease(Values.text("a name", name), Values.text("an owner", owner), 1, Instant.EPOCH);
    Instant now = database.now();
    return database.call(
        () -> {
          try {
            Document taken =
                leases()
                    .findOneAndUpdate(
                        Filters.and(
                            Filters.eq(Fields.ID, wanted.name()),
                            Filters.lte(Fields.EXPIRES_AT, Date.from(now))),
                        Updates.combine(
                            Updates.set(Fields.OWNER, wanted.owner()),
                            Updates.inc(Fields.TOKEN, 1L),
                            Updates.set(Fields.EXPIRES_AT, Date.from(now.plus(duration)))),
                        new FindOneAndUpdateOptions()
                            .upsert(true)
                            .returnDocument(ReturnDocument.AFTER));
            return Optional.ofNullable(taken).map(MongoLeaseStore::lease);
          } catch (MongoException e) {
            // The upsert found nothing expired and could not insert: somebody holds it.
            if (Database.isDuplicateKey(e)) {
              return Optional.empty();
            }
            throw e;
          }
        });
  }

  @Override
  public Lease renew(Lease lease, Duration duration) {
    requireMillisecond(duration);
    Instant now = database.now();
    Document renewed =
        database.call(
            () ->
                leases()
                    .findOneAndUpdate(
                        Filters.and(
                            Filters.eq(Fields.ID, lease.name()),
                            Filters.eq(Fields.OWNER, lease.owner()),
                            Filters.eq(Fields.TOKEN, lease.token()),
                            Filters.gt(Fields.EXPIRES_AT, Date.from(now))),
                        Updates.set(Fields.EXPIRES_AT, Date.from(now.plus(duration))),
                        new FindOneAndUpdateOptions().returnDocument(ReturnDocument.AFTER)));
    if (renewed == null) {
      throw new LeaseLostException(lease);
    }
    return lease(renewed);
  }

  @Override
  public void release(Lease lease) {
    database.run(
        () -> {
          leases()
              .updateOne(
                  Filters.and(
                      Filters.eq(Fields.ID, lease.name()),
                      Filters.eq(Fields.OWNER, lease.owner()),
                      Filters.eq(Fields.TOKEN, lease.token())),
                  Updates.set(Fields.EXPIRES_AT, ENDED));
        });
  }

  @Override
  public List<Lease> list(String prefix) {
    Instant now = database.now();
    return database.call(
        () -> {
          List<Lease> held = new ArrayList<>();
          try (MongoCursor<Document> cursor =
              leases()
                  .find(Filters.gte(Fields.ID, prefix))
                  .sort(Sorts.ascending(Fields.ID))
                  .cursor()) {
            while (cursor.hasNext()) {
              Lease lease = lease(cursor.next());
              if (!lease.name().startsWith(prefix)) {
                break;
              }
              if (lease.expiresAt().isAfter(now)) {
                held.add(lease);
              }
            }
          }
          return held;
        });
  }

  private static void requireMillisecond(Duration duration) {
    if (duration.toMillis() < 1) {
      throw new IllegalArgumentException("a lease lasts at least 1 millisecond, not " + duration);
    }
  }

  private static Lease lease(Document document) {
    return new Lease(
        document.getString(Fields.ID),
        document.getString(Fields.OWNER),
        document.getLong(Fields.TOKEN),
        document.getDate(Fields.EXPIRES_AT).toInstant());
  }
}
