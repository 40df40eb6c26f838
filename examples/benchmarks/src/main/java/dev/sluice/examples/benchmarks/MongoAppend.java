package dev.sluice.examples.benchmarks;

import com.mongodb.client.MongoCollection;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.bson.Document;

/**
 * Appends to streams of each thread's own, expecting the exact version, against one insertOne: the
 * same document with the same indexes, but its number comes from this process's memory, and nobody
 * looks after an order of commits.
 */
final class MongoAppend implements Benchmark {

  private static final int STREAMS = 100;

  @Override
  public String name() {
    return "append";
  }

  @Override
  public String store() {
    return "mongo";
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    int most = settings.mostThreads();
    try (Mongo mongo = Mongo.start(most, report)) {
      AtomicLong numbers = new AtomicLong();
      // A server in this JVM has to be compiled too, and that takes longer than a turn.
      warmUp(byHand(mongo, numbers, "warm-", 1));
      warmUp(sluice(mongo, "warm-", 1));
      for (int batch : new int[] {1, 10}) {
        for (int threads : settings.threads()) {
          String run = batch + "x" + threads + "-";
          double[] rates =
              Rates.perSecond(
                  threads,
                  settings.seconds(),
                  List.of(
                      thread -> byHand(mongo, numbers, run + thread, batch),
                      thread -> sluice(mongo, run + thread, batch)));
          report.add(
              batch == 1 ? "append 1 event" : "append " + batch + " events",
              threads,
              "appends/s",
              rates[0],
              rates[1],
              threads == 1 ? 0.45 : threads == 32 ? 0.9 : 0);
        }
      }
    }
  }

  private static void warmUp(Rates.Step step) throws Exception {
    for (int i = 0; i < 10_000; i++) {
      step.run();
    }
  }

  private static Rates.Step sluice(Mongo mongo, String run, int batch) {
    EventStore store = mongo.storage().eventStore();
    long[] versions = new long[STREAMS];
    int[] next = {0};
    return () -> {
      int stream = next[0]++ % STREAMS;
      store.append(
          StreamId.of("account", run + "-" + stream),
          ExpectedVersion.exactly(versions[stream]),
          Samples.events(batch, false));
      versions[stream] += batch;
    };
  }

  private static Rates.Step byHand(Mongo mongo, AtomicLong numbers, String run, int batch) {
    MongoCollection<Document> commits = mongo.byHand();
    String data = Samples.DATA.toUtf8();
    String metadata = Samples.METADATA.toUtf8();
    long[] versions = new long[STREAMS];
    int[] next = {0};
    return () -> {
      int stream = next[0]++ % STREAMS;
      Instant now = Instant.now();
      List<Document> events = new ArrayList<>(batch);
      for (int i = 0; i < batch; i++) {
        events.add(
            new Document("id", EventIds.next())
                .append("type", Samples.TYPE)
                .append("time", now)
                .append("data", data)
                .append("metadata", metadata));
      }
      commits.insertOne(
          new Document("_id", numbers.incrementAndGet())
              .append("version", versions[stream] + 1)
              .append("category", "account")
              .append("stream", run + "-" + stream)
              .append("count", batch)
              .append("events", events));
      versions[stream] += batch;
    };
  }
}
