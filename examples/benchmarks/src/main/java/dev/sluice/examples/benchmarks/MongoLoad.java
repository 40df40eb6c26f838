package dev.sluice.examples.benchmarks;

import com.mongodb.client.model.Filters;
import com.mongodb.client.model.Sorts;
import dev.sluice.core.Payload;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.ExpectedVersion;
import java.util.ArrayList;
import java.util.List;
import org.bson.Document;

/** Loads a stream into typed objects, against a plain sorted find with the same decoding. */
final class MongoLoad implements Benchmark {

  private static final int STREAMS = 50;

  @Override
  public String name() {
    return "load";
  }

  @Override
  public String store() {
    return "mongo";
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    int most = settings.mostThreads();
    try (Mongo mongo = Mongo.start(most, report)) {
      for (int perAppend : new int[] {1, 10}) {
        for (int length : new int[] {100, 1_000}) {
          fill(mongo, perAppend, length);
          for (int threads : settings.threads()) {
            double[] rates =
                Rates.perSecond(
                    threads,
                    settings.seconds(),
                    List.of(
                        thread -> byHand(mongo, perAppend, length, thread),
                        thread -> sluice(mongo, perAppend, length, thread)));
            report.add(
                "load " + length + " events, " + perAppend + " per append",
                threads,
                "loads/s",
                rates[0],
                rates[1],
                0.85);
          }
        }
      }
    }
  }

  private static void fill(Mongo mongo, int perAppend, int length) {
    for (int version = 0; version < length; version += perAppend) {
      for (int stream = 0; stream < STREAMS; stream++) {
        mongo
            .storage()
            .eventStore()
            .append(
                stream(perAppend, length, stream),
                ExpectedVersion.exactly(version),
                Samples.events(perAppend, false));
      }
    }
  }

  private static StreamId stream(int perAppend, int length, int number) {
    return StreamId.of("account", perAppend + "-" + length + "-" + number);
  }

  private static Rates.Step sluice(Mongo mongo, int perAppend, int length, int thread) {
    EventStore store = mongo.storage().eventStore();
    int[] next = {thread};
    return () -> {
      List<DomainEvent> events = new ArrayList<>();
      store
          .readFrom(stream(perAppend, length, next[0]++ % STREAMS), 1)
          .forEach(recorded -> events.add(Samples.CODEC.decode(recorded)));
      check(events, length);
    };
  }

  private static Rates.Step byHand(Mongo mongo, int perAppend, int length, int thread) {
    int[] next = {thread};
    return () -> {
      StreamId stream = stream(perAppend, length, next[0]++ % STREAMS);
      List<DomainEvent> events = new ArrayList<>();
      for (Document commit :
          mongo
              .log()
              .find(
                  Filters.and(
                      Filters.eq("category", stream.category()), Filters.eq("stream", stream.id())))
              .sort(Sorts.ascending("version"))) {
        for (Document event : commit.getList("events", Document.class)) {
          events.add(
              Samples.CODEC
                  .serializer()
                  .read(Payload.ofUtf8(event.getString("data")), Samples.MoneyDeposited.class));
        }
      }
      check(events, length);
    };
  }

  private static void check(List<DomainEvent> events, int length) {
    if (events.size() != length) {
      throw new IllegalStateException("loaded " + events.size() + " events instead of " + length);
    }
  }
}
