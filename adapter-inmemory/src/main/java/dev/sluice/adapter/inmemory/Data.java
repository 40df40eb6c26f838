package dev.sluice.adapter.inmemory;

import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.store.AppendHints;
import dev.sluice.core.store.Snapshot;
import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/** What a database would hold: outlives each {@link InMemoryStorage} that works on it. */
final class Data {

  final Clock clock;
  final CommitLog log;
  final CommitSchedule schedule;
  final NavigableMap<String, Checkpoint> checkpoints = new TreeMap<>();
  final Map<List<Object>, Snapshot> snapshots = new HashMap<>();
  final Leases leases;
  final AppendHints hints = new AppendHints();

  Data(Clock clock, CommitLog log) {
    this.clock = clock;
    this.log = log;
    this.leases = new Leases(clock);
    this.schedule = new CommitSchedule(this);
  }
}
