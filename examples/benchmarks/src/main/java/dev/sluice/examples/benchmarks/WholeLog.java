package dev.sluice.examples.benchmarks;

import dev.sluice.core.Position;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.Storage;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;

/** Reads of a whole log; they take turns, and the median of the turns counts. */
final class WholeLog {

  private static final int TURNS = 5;

  private WholeLog() {}

  /**
   * Measures.
   *
   * @param events how many events each reading must return
   * @return the rates per second, one for each way of reading
   */
  static double[] perSecond(int events, List<Callable<Integer>> readings) throws Exception {
    double[][] rates = new double[readings.size()][TURNS];
    for (int turn = -1; turn < TURNS; turn++) {
      for (int reading = 0; reading < rates.length; reading++) {
        // Turn -1 warms up.
        double rate = rate(events, readings.get(reading));
        if (turn >= 0) {
          rates[reading][turn] = rate;
        }
      }
    }
    return Arrays.stream(rates).peek(Arrays::sort).mapToDouble(turns -> turns[TURNS / 2]).toArray();
  }

  private static double rate(int expected, Callable<Integer> reading) throws Exception {
    long begin = System.nanoTime();
    int events = reading.call();
    if (events != expected) {
      throw new IllegalStateException("read " + events + " events instead of " + expected);
    }
    return events / ((System.nanoTime() - begin) / 1e9);
  }

  static int read(Storage storage, int page) {
    int events = 0;
    Position after = Position.START;
    LogPage read;
    do {
      read = storage.globalLog().read(after, EventFilter.ALL, page);
      events += read.events().size();
      after = read.next();
    } while (read.more());
    return events;
  }
}
