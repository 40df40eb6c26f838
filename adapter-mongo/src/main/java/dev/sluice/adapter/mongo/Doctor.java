package dev.sluice.adapter.mongo;

import com.mongodb.MongoException;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.model.Filters;
import dev.sluice.core.Position;
import dev.sluice.core.SluiceException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.ReaderTroubles;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.Storage;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.bson.Document;

/**
 * Prints what {@link MongoStorage#doctor()} finds: {@code Doctor <mongodb://…> <database>}. Where
 * readers wait at a hole, it looks again after the grace: a hole that is then still there belongs
 * to a transaction that is kept open.
 */
public final class Doctor {

  private final Database database;
  private final Storage storage;
  private final Frontier frontier;
  private final Concerns concerns;
  private final List<String> findings = new ArrayList<>();

  Doctor(Database database, Storage storage, Frontier frontier, Concerns concerns) {
    this.database = database;
    this.storage = storage;
    this.frontier = frontier;
    this.concerns = concerns;
  }

  /** Exits with 0 if nothing is wrong, with 1 if something is, with 2 if it can't be examined. */
  public static void main(String[] args) throws InterruptedException {
    if (args.length != 2) {
      System.err.println("Usage: Doctor <mongodb://user:password@host/?options> <database>");
      System.exit(2);
    }
    try (MongoClient client = MongoClients.create(args[0])) {
      System.exit(run(client, args[1], System.out));
    } catch (SluiceException | MongoException | IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(2);
    }
  }

  static int run(MongoClient client, String database, PrintStream out) throws InterruptedException {
    if (!client
        .getDatabase(database)
        .listCollectionNames()
        .into(new ArrayList<>())
        .contains(Schema.COMMITS)) {
      out.println(
          "The database '"
              + database
              + "' has no collection "
              + Schema.COMMITS
              + ", so no Sluice service has used it; name the one that MongoStorage was given");
      return 2;
    }
    try (MongoStorage storage = MongoStorage.create(client, database)) {
      Diagnosis diagnosis = storage.doctor();
      if (diagnosis.hole().isPresent()) {
        TimeUnit.MILLISECONDS.sleep(MongoStorage.FILL_AFTER.toMillis() + 1);
        diagnosis = storage.doctor();
      }
      out.print(diagnosis);
      return diagnosis.findings().isEmpty() ? 0 : 1;
    }
  }

  Diagnosis examine(int schemaVersion) {
    Frontier.Settled settled = frontier.advance();
    long last = database.lastNumber();
    long drawn = counter();
    Optional<Frontier.Hole> hole = frontier.hole();
    if (drawn < last) {
      findings.add(
          "the counter stands at "
              + drawn
              + ", behind commit "
              + last
              + ", as after a restore of a part; the next start of any service raises it");
    }
    hole.ifPresent(
        h ->
            findings.add(
                "readers wait for commit "
                    + h.from()
                    + ", whose writer is slow or gone; reading fills it after the grace, if it"
                    + " stays look for a transaction that is kept open"));
    findings.addAll(concerns.losses(database.hasReplicaSet()));
    database.topology().finding().ifPresent(findings::add);
    database.terms().finding().ifPresent(findings::add);
    List<Lease> leases = storage.leases().list("");
    Map<String, Long> lags = lags(leases.stream().map(Lease::name).collect(Collectors.toSet()));
    return new Diagnosis(
        storage.describe(),
        concerns.toString(),
        schemaVersion,
        drawn,
        last,
        settled.number(),
        settled.head(),
        hole.map(
            h ->
                new Diagnosis.Hole(h.from(), Duration.ofNanos(System.nanoTime() - h.sinceNanos()))),
        fillers(),
        storage.outbox().count(slowestRelay()),
        lags,
        leases,
        findings);
  }

  private Map<String, Long> lags(Set<String> held) {
    Map<String, Long> lags = new LinkedHashMap<>();
    for (Checkpoint checkpoint : storage.checkpoints().list("")) {
      String name = checkpoint.name();
      long behind =
          name.startsWith(Outbox.RELAY_PREFIX)
              ? storage.outbox().count(ReaderTroubles.passed(checkpoint))
              : storage.globalLog().count(checkpoint.position(), EventFilter.ALL);
      lags.put(name, behind);
      findings.addAll(ReaderTroubles.of(name, checkpoint.state()));
      if (behind > 0) {
        ReaderTroubles.abandoned(name, String.valueOf(behind), held).ifPresent(findings::add);
      }
    }
    return lags;
  }

  private Position slowestRelay() {
    return storage.checkpoints().list(Outbox.RELAY_PREFIX).stream()
        .map(ReaderTroubles::passed)
        .min(Position::compareTo)
        .orElse(Position.START);
  }

  private long fillers() {
    return database.call(
        () -> database.collection(Schema.COMMITS).countDocuments(Filters.eq(Fields.CATEGORY, "")));
  }

  private long counter() {
    Document counter =
        database.call(
            () ->
                database
                    .collection(Schema.META)
                    .find(Filters.eq(Fields.ID, Fields.META_COUNTER))
                    .first());
    return counter == null ? 0 : counter.getLong(Fields.VALUE);
  }
}
