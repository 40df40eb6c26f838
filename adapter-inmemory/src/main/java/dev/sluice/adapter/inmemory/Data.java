package dev.sluice.adapter.inmemory;

import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.store.Snapshot;
import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a database would hold: outlives each {@link InMemoryStorage} that works on it. */
final class Data {

  private static final Logger LOG = LoggerFactory.getLogger(Data.class);

  final Clock clock;
  final CommitLog log;
  final CommitSchedule schedule;
  final NavigableMap<String, Checkpoint> checkpoints = new TreeMap<>();
  final Map<List<Object>, Snapshot> snapshots = new HashMap<>();
  final Leases leases;
  final List<Runnable> hints = new CopyOnWriteArrayList<>();

  Data(Clock clock, CommitLog log) {
    this.clock = clock;
    this.log = log;
    this.leases = new Leases(clock);
    this.schedule = new CommitSchedule(this);
  }

  /** The append is stored by now, so a hint that throws must not make it look failed. */
  void hintAll() {
    for (Runnable hint : hints) {
      try {
        hint.run();
      } catch (RuntimeException e) {
        LOG.warn("A hint after an append failed; reading from time to time makes up for it", e);
      }
    }
  }
}
