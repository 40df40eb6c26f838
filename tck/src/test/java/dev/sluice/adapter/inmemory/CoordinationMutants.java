package dev.sluice.adapter.inmemory;

import static dev.sluice.adapter.inmemory.Faulty.checkpointStore;
import static dev.sluice.adapter.inmemory.Faulty.checkpoints;
import static dev.sluice.adapter.inmemory.Faulty.events;
import static dev.sluice.adapter.inmemory.Faulty.leases;
import static dev.sluice.adapter.inmemory.Faulty.revision;
import static dev.sluice.adapter.inmemory.Faulty.snapshots;

import dev.sluice.adapter.inmemory.Faulty.CheckpointsOf;
import dev.sluice.adapter.inmemory.Faulty.Events;
import dev.sluice.adapter.inmemory.Faulty.LeasesOf;
import dev.sluice.adapter.inmemory.Faulty.SnapshotsOf;
import dev.sluice.adapter.inmemory.Mutants.Mutant;
import dev.sluice.core.Payload;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.coordination.LeaseStore;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Snapshot;
import dev.sluice.core.store.StreamRange;
import dev.sluice.tck.CheckpointContract;
import dev.sluice.tck.LeaseContract;
import dev.sluice.tck.SnapshotContract;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/** Faults of checkpoints, leases and snapshots. */
final class CoordinationMutants {

  private CoordinationMutants() {}

  static List<Mutant> all() {
    return List.of(
        new Mutant(
            "a newer owner needs no revision",
            CheckpointContract.class,
            "U3_a_checkpoint_of_a_wrong_revision_is_refused",
            checkpoints(
                (stored, next) ->
                    stored == null
                        || next.token() > stored.token()
                        || next.revision() == stored.revision() + 1)),
        new Mutant(
            "a newer owner may go backwards",
            CheckpointContract.class,
            "U1_a_checkpoint_never_goes_backwards",
            checkpoints(
                (stored, next) ->
                    next.revision() == revision(stored) + 1
                        && (stored == null
                            || next.token() > stored.token()
                            || !stored.position().isAfter(next.position())))),
        new Mutant(
            "checkpoints are listed by a pattern",
            CheckpointContract.class,
            "U3_checkpoints_are_listed_by_prefix_in_order_of_names",
            checkpointStore(
                right ->
                    new CheckpointsOf(right) {
                      @Override
                      public List<Checkpoint> list(String prefix) {
                        return super.list("").stream()
                            .filter(c -> c.name().matches(prefix + ".*"))
                            .toList();
                      }
                    })),
        new Mutant(
            "checkpoints are listed in the order of a dictionary",
            CheckpointContract.class,
            "U3_checkpoints_are_listed_by_prefix_in_order_of_names",
            checkpointStore(
                right ->
                    new CheckpointsOf(right) {
                      @Override
                      public List<Checkpoint> list(String prefix) {
                        return super.list(prefix).stream()
                            .sorted(
                                Comparator.comparing(
                                    Checkpoint::name, String.CASE_INSENSITIVE_ORDER))
                            .toList();
                      }
                    })),
        new Mutant(
            "names of checkpoints are cut after 190 chars",
            CheckpointContract.class,
            "U1_names_of_the_greatest_length_are_kept_apart",
            checkpointStore(
                right ->
                    new CheckpointsOf(right) {
                      @Override
                      public Optional<Checkpoint> load(String name) {
                        return super.load(cut(name));
                      }

                      @Override
                      public void save(Checkpoint c) {
                        super.save(
                            new Checkpoint(
                                cut(c.name()), c.position(), c.state(), c.token(), c.revision()));
                      }

                      private static String cut(String name) {
                        return name.substring(0, Math.min(190, name.length()));
                      }
                    })),
        new Mutant(
            "leases are listed by a pattern",
            LeaseContract.class,
            "L1_held_leases_are_listed_by_prefix_in_order_of_names",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public List<Lease> list(String prefix) {
                        return super.list("").stream()
                            .filter(l -> l.name().matches(prefix + ".*"))
                            .toList();
                      }
                    })),
        new Mutant(
            "who sees an expired lease takes it, also from who was faster",
            LeaseContract.class,
            "L1_of_concurrent_takers_of_an_expired_lease_exactly_one_gets_it",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Optional<Lease> acquire(String name, String owner, Duration duration) {
                        if (!super.list(name).isEmpty()) {
                          return Optional.empty();
                        }
                        // So that others look in between.
                        LockSupport.parkNanos(20_000_000);
                        super.list(name).forEach(super::release);
                        return super.acquire(name, owner, duration);
                      }
                    })),
        new Mutant(
            "a snapshot has room for 64 KB",
            SnapshotContract.class,
            "P1_a_snapshot_comes_back_equal_also_after_a_restart",
            snapshots(
                store ->
                    new SnapshotsOf(store) {
                      @Override
                      public void save(Snapshot s) {
                        byte[] state = s.state().toBytes();
                        super.save(
                            new Snapshot(
                                s.stream(),
                                s.schema(),
                                s.version(),
                                Payload.of(Arrays.copyOf(state, Math.min(65_535, state.length)))));
                      }
                    })),
        new Mutant(
            "a checkpoint goes backwards",
            CheckpointContract.class,
            "U1_a_checkpoint_never_goes_backwards",
            checkpoints((stored, next) -> next.revision() == revision(stored) + 1)),
        new Mutant(
            "a checkpoint without compare-and-set",
            CheckpointContract.class,
            "U3_of_concurrent_saves_of_the_next_checkpoint_exactly_one_wins",
            checkpoints((stored, next) -> true)),
        new Mutant(
            "a checkpoint without a fencing token",
            CheckpointContract.class,
            "U3_a_stale_owner_can_not_save_over_its_successor",
            checkpoints(
                (stored, next) ->
                    next.revision() == revision(stored) + 1
                        && (stored == null || !stored.position().isAfter(next.position())))),
        new Mutant(
            "each lease lasts for ten seconds",
            LeaseContract.class,
            "L2_a_lease_lasts_as_long_as_was_asked_for",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Optional<Lease> acquire(String name, String owner, Duration duration) {
                        return super.acquire(name, owner, Duration.ofSeconds(10));
                      }
                    })),
        new Mutant(
            "a token has 32 bits",
            CheckpointContract.class,
            "U1_a_checkpoint_comes_back_equal_also_after_a_restart",
            checkpointStore(
                right ->
                    new CheckpointsOf(right) {
                      @Override
                      public Optional<Checkpoint> load(String name) {
                        return super.load(name)
                            .map(
                                c ->
                                    new Checkpoint(
                                        name,
                                        c.position(),
                                        c.state(),
                                        Integer.toUnsignedLong((int) c.token()),
                                        c.revision()));
                      }
                    })),
        new Mutant(
            "a lease without a growing token",
            LeaseContract.class,
            "L3_tokens_only_grow_over_release_expiry_and_restart",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Optional<Lease> acquire(String name, String owner, Duration duration) {
                        return super.acquire(name, owner, duration)
                            .map(l -> new Lease(name, owner, 1, l.expiresAt()));
                      }
                    })),
        new Mutant(
            "a lease is given to an owner of the same name",
            LeaseContract.class,
            "L1_a_held_lease_is_refused_to_everybody_else",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Optional<Lease> acquire(String name, String owner, Duration duration) {
                        return super.acquire(name, owner, duration)
                            .or(
                                () ->
                                    super.list(name).stream()
                                        .filter(l -> l.owner().equals(owner))
                                        .findFirst());
                      }
                    })),
        new Mutant(
            "a lease is renewed by its token alone",
            LeaseContract.class,
            "L1_who_has_the_token_of_another_owner_neither_renews_nor_releases",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Lease renew(Lease lease, Duration duration) {
                        return super.renew(holderOf(this, lease), duration);
                      }
                    })),
        new Mutant(
            "a lease is released by its token alone",
            LeaseContract.class,
            "L1_who_has_the_token_of_another_owner_neither_renews_nor_releases",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public void release(Lease lease) {
                        super.release(holderOf(this, lease));
                      }
                    })),
        new Mutant(
            "a lost lease can be renewed",
            LeaseContract.class,
            "L2_a_released_lease_cannot_be_renewed",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Lease renew(Lease lease, Duration duration) {
                        return new Lease(
                            lease.name(),
                            lease.owner(),
                            lease.token(),
                            Instant.now().plus(duration));
                      }
                    })),
        new Mutant(
            "who lost a lease releases that of its successor",
            LeaseContract.class,
            "L2_a_lease_that_was_lost_can_neither_be_renewed_nor_take_the_new_one_away",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public void release(Lease lease) {
                        super.list(lease.name()).forEach(super::release);
                      }
                    })),
        new Mutant(
            "a snapshot is found in another schema",
            SnapshotContract.class,
            "P1_snapshots_are_kept_apart_by_stream_and_schema",
            snapshots(
                store ->
                    new SnapshotsOf(store) {
                      @Override
                      public Optional<Snapshot> load(StreamId stream, String schema) {
                        return super.load(stream, "v1");
                      }
                    })),
        new Mutant(
            "a read past the end returns the last event, and hides that a snapshot is too new",
            SnapshotContract.class,
            "P1_a_snapshot_that_is_newer_than_its_stream_changes_no_result",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public List<RecordedEvent> read(StreamId stream, StreamRange range) {
                        List<RecordedEvent> page = super.read(stream, range);
                        return page.isEmpty() ? super.read(stream, StreamRange.last(1)) : page;
                      }
                    })),
        new Mutant(
            "a snapshot takes the place of those of other streams",
            SnapshotContract.class,
            "P1_deleted_snapshots_are_absent_and_others_stay",
            snapshots(
                store ->
                    new SnapshotsOf(store) {
                      @Override
                      public void delete(StreamId stream) {
                        super.delete(StreamId.of("account", "42"));
                        super.delete(StreamId.of("account", "43"));
                      }
                    })),
        new Mutant(
            "an expired lease can be renewed while nobody else has it",
            LeaseContract.class,
            "L2_an_expired_lease_cannot_be_renewed_even_if_nobody_took_it",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public Lease renew(Lease lease, Duration duration) {
                        try {
                          return super.renew(lease, duration);
                        } catch (LeaseLostException e) {
                          return super.acquire(lease.name(), lease.owner(), duration)
                              .orElseThrow(() -> e);
                        }
                      }
                    })),
        new Mutant(
            "leases are listed by names without regard to case",
            LeaseContract.class,
            "L1_held_leases_are_listed_by_prefix_in_order_of_names",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public List<Lease> list(String prefix) {
                        return super.list("").stream()
                            .filter(l -> l.name().toLowerCase(Locale.ROOT).startsWith(prefix))
                            .toList();
                      }
                    })),
        new Mutant(
            "a lease lasts until it expires, released or not",
            LeaseContract.class,
            "L2_a_released_lease_is_free_at_once",
            leases(
                store ->
                    new LeasesOf(store) {
                      @Override
                      public void release(Lease lease) {}
                    })),
        new Mutant(
            "checkpoints are remembered by who loaded them",
            CheckpointContract.class,
            "U1_what_another_instance_saves_or_deletes_is_seen",
            checkpointStore(
                right ->
                    new CheckpointsOf(right) {
                      private final Map<String, Optional<Checkpoint>> loaded = new HashMap<>();

                      @Override
                      public Optional<Checkpoint> load(String name) {
                        return loaded.computeIfAbsent(name, super::load);
                      }
                    })),
        new Mutant(
            "a checkpoint is deleted with those whose names begin alike",
            CheckpointContract.class,
            "U5_a_deleted_checkpoint_is_absent_and_begins_anew",
            checkpointStore(
                right ->
                    new CheckpointsOf(right) {
                      @Override
                      public void delete(String name) {
                        list(name).forEach(c -> super.delete(c.name()));
                      }
                    })),
        new Mutant(
            "a checkpoint's state is kept while its position stays",
            CheckpointContract.class,
            "U1_a_checkpoint_that_follows_is_saved",
            checkpointStore(
                right ->
                    new CheckpointsOf(right) {
                      @Override
                      public void save(Checkpoint next) {
                        super.save(
                            load(next.name())
                                .filter(c -> c.position().equals(next.position()))
                                .map(
                                    c ->
                                        new Checkpoint(
                                            next.name(),
                                            next.position(),
                                            c.state(),
                                            next.token(),
                                            next.revision()))
                                .orElse(next));
                      }
                    })),
        new Mutant(
            "snapshots are deleted with those of streams whose names begin alike",
            SnapshotContract.class,
            "P1_deleted_snapshots_are_absent_and_others_stay",
            snapshots(
                store ->
                    new SnapshotsOf(store) {
                      @Override
                      public void delete(StreamId stream) {
                        super.delete(stream);
                        for (int i = 0; i < 10; i++) {
                          super.delete(StreamId.of(stream.category(), stream.id() + i));
                        }
                      }
                    })),
        new Mutant(
            "the first snapshot of a stream stays",
            SnapshotContract.class,
            "P1_a_snapshot_takes_the_place_of_an_earlier_one",
            snapshots(
                store ->
                    new SnapshotsOf(store) {
                      @Override
                      public void save(Snapshot snapshot) {
                        if (load(snapshot.stream(), snapshot.schema()).isEmpty()) {
                          super.save(snapshot);
                        }
                      }
                    })));
  }

  /** Whoever holds the lease of a token now. */
  private static Lease holderOf(LeaseStore leases, Lease lease) {
    return leases.list(lease.name()).stream()
        .filter(held -> held.token() == lease.token())
        .findFirst()
        .orElse(lease);
  }
}
