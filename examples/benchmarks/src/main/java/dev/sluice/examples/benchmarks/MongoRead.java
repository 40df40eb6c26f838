package dev.sluice.examples.benchmarks;

import com.mongodb.client.model.Sorts;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.ExpectedVersion;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bson.Document;

/** Reads the whole log, against a plain sorted find. */
final class MongoRead implements Benchmark {

  private static final int EVENTS = 100_000;
  private static final int PER_STREAM = 100;
  private static final int FILLERS = 16;
  private static final int PAGE = 2_000;

  @Override
  public String name() {
    return "read";
  }

  @Override
  public String store() {
    return "mongo";
  }

  @Override
  public List<Integer> defaultThreads() {
    return List.of(1);
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    for (int perAppend : new int[] {1, 10}) {
      try (Mongo mongo = Mongo.start(FILLERS, report)) {
        fill(mongo, perAppend);
        double[] rates =
            WholeLog.perSecond(
                EVENTS, List.of(() -> byHand(mongo), () -> WholeLog.read(mongo.storage(), PAGE)));
        report.add(
            "read the whole log, " + perAppend + " per append",
            1,
            "events/s",
            rates[0],
            rates[1],
            0.85);
      }
    }
    report.note("-Dthreads and -Dseconds have no effect: the whole log is read each time");
  }

  private static void fill(Mongo mongo, int perAppend) throws Exception {
    try (ExecutorService executor = Executors.newFixedThreadPool(FILLERS)) {
      List<Future<?>> streams = new ArrayList<>();
      for (int i = 0; i < EVENTS / PER_STREAM; i++) {
        StreamId stream = StreamId.of("account", "" + i);
        streams.add(executor.submit(() -> fill(mongo, stream, perAppend)));
      }
      for (Future<?> stream : streams) {
        stream.get();
      }
    }
  }

  private static void fill(Mongo mongo, StreamId stream, int perAppend) {
    for (int version = 0; version < PER_STREAM; version += perAppend) {
      mongo
          .storage()
          .eventStore()
          .append(stream, ExpectedVersion.exactly(version), Samples.events(perAppend, false));
    }
  }

  private static int byHand(Mongo mongo) {
    int events = 0;
    for (Document commit : mongo.log().find().sort(Sorts.ascending("_id")).batchSize(PAGE)) {
      for (Document event : commit.getList("events", Document.class)) {
        if (!event.getString("data").isEmpty() && event.get("id") != null) {
          events++;
        }
      }
    }
    return events;
  }
}
