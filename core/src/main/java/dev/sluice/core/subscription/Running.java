package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.coordination.Lease;
import dev.sluice.core.coordination.LeaseLostException;
import dev.sluice.core.store.Storage;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One subscription in this process: takes, renews and hands over its leases, and has a worker for
 * each partition that it owns.
 */
final class Running {

  private static final Logger LOG = LoggerFactory.getLogger(Running.class);

  /** What all subscriptions of a process have in common. */
  record Shared(
      Storage storage,
      String instance,
      Duration leaseDuration,
      Duration stopTimeout,
      SubscriptionListener listener,
      Tail tail,
      Runnable onMove) {}

  private final Shared shared;
  private final Storage storage;
  private final Duration leaseDuration;
  private final Subscription subscription;
  private final Position start;
  private final CatchUp catchUp;
  private final Map<Integer, Worker> workers = new ConcurrentHashMap<>();
  private final Map<Integer, Long> renewAt = new HashMap<>();
  private final String members;
  private @Nullable Lease membership;
  private long renewMembershipAt;
  private long lookAt = System.nanoTime();
  private volatile boolean stopped;

  Running(Shared shared, Subscription subscription, Position start) {
    this.shared = shared;
    this.storage = shared.storage;
    this.leaseDuration = shared.leaseDuration;
    this.subscription = subscription;
    this.start = start;
    this.catchUp = new CatchUp(storage, subscription);
    this.members = Worker.PREFIX + subscription.name() + "/member/";
  }

  Subscription subscription() {
    return subscription;
  }

  /** By partition; without those that run elsewhere. */
  Map<Integer, Worker> workers() {
    return workers;
  }

  synchronized void tick() {
    if (stopped) {
      return;
    }
    workers.values().removeIf(worker -> worker.ended() && !worker.refused());
    workers.values().forEach(worker -> worker.warnIfStuck(leaseDuration));
    renew();
    long now = System.nanoTime();
    if (now - lookAt >= 0) {
      lookAt = now + leaseDuration.toNanos() / 5;
      if (workers.values().stream().anyMatch(Worker::refused)) {
        // It can't run here, and those with whom it can need not leave a share to this process.
        releaseMembership();
      } else if (subscription.partitions() > 1) {
        joinIn();
        share();
      } else if (workers.isEmpty()) {
        acquire(0);
      }
    }
  }

  /** Renewed when half of the time is over, so that one lost try does not matter. */
  private void renew() {
    for (Map.Entry<Integer, Worker> entry : workers.entrySet()) {
      Worker worker = entry.getValue();
      long now = System.nanoTime();
      // One that is being handed over keeps its lease until its handler is done.
      if (worker.isLost()
          || worker.refused()
          || worker.ended()
          || now - renewAt.getOrDefault(entry.getKey(), now) < 0) {
        continue;
      }
      try {
        Lease renewed = storage.leases().renew(worker.lease(), leaseDuration);
        worker.renewed(renewed, now + leaseDuration.toNanos());
        renewAt.put(entry.getKey(), now + leaseDuration.toNanos() / 2);
      } catch (LeaseLostException e) {
        LOG.warn("{}", e.getMessage());
        worker.lost();
      }
    }
  }

  private void acquire(int index) {
    long now = System.nanoTime();
    Optional<Lease> lease =
        storage
            .leases()
            .acquire(
                Worker.checkpointName(subscription.name(), index), shared.instance, leaseDuration);
    if (lease.isEmpty()) {
      return;
    }
    Worker worker;
    try {
      worker =
          new Worker(
              storage,
              subscription,
              new Partition(index, subscription.partitions()),
              start,
              shared.tail,
              catchUp,
              shared.listener,
              shared.onMove,
              lease.get(),
              now + leaseDuration.toNanos());
    } catch (RuntimeException | Error e) {
      // The handler can't be made here; maybe another process can.
      storage.leases().release(lease.get());
      throw e;
    }
    workers.put(index, worker);
    renewAt.put(index, now + leaseDuration.toNanos() / 2);
    LOG.info("{} runs here now, as {}", lease.get().name(), shared.instance);
    worker.begin();
  }

  /** Lets the other processes know that this one takes its share. */
  private void joinIn() {
    long now = System.nanoTime();
    if (membership != null && now - renewMembershipAt < 0) {
      return;
    }
    if (membership != null) {
      try {
        membership = storage.leases().renew(membership, leaseDuration);
      } catch (LeaseLostException e) {
        membership = null;
      }
    }
    // Numbers are used again, so that no process leaves the name of a lease behind for ever.
    for (int number = 0; membership == null; number++) {
      membership =
          storage.leases().acquire(members + number, shared.instance, leaseDuration).orElse(null);
    }
    renewMembershipAt = now + leaseDuration.toNanos() / 2;
  }

  /** Takes what is free up to a fair share, and gives back what is more than that. */
  private void share() {
    List<String> held =
        storage.leases().list(Worker.PREFIX + subscription.name() + "/").stream()
            .map(Lease::name)
            .toList();
    List<String> present = held.stream().filter(name -> name.startsWith(members)).sorted().toList();
    int me = membership == null ? -1 : present.indexOf(membership.name());
    if (me < 0) {
      return;
    }
    int partitions = subscription.partitions();
    int share = partitions / present.size() + (me < partitions % present.size() ? 1 : 0);
    int mine = 0;
    for (Worker worker : workers.values()) {
      if (!worker.isStopping() && ++mine > share) {
        LOG.info("{} is handed over: {} processes share it", worker.lease().name(), present.size());
        worker.stop();
      }
    }
    // Each begins elsewhere, so that those who start together do not all ask for the same ones.
    int first = me * partitions / present.size();
    for (int i = 0; i < partitions && mine < share; i++) {
      int index = (first + i) % partitions;
      if (!workers.containsKey(index)
          && !held.contains(Worker.checkpointName(subscription.name(), index))) {
        acquire(index);
        if (workers.containsKey(index)) {
          mine++;
        }
      }
    }
  }

  /**
   * Stops it in order.
   *
   * @param caller who wants it; a handler that does is not waited for
   */
  void stopAll(Thread caller) {
    stopped = true;
    List<Worker> all;
    synchronized (this) {
      all = List.copyOf(workers.values());
    }
    all.forEach(Worker::stop);
    long until = System.nanoTime() + shared.stopTimeout.toNanos();
    long renewalDue = System.nanoTime();
    Duration look = Duration.ofMillis(Math.min(200, leaseDuration.toMillis() / 4));
    try {
      for (Worker worker : all) {
        if (worker.isOn(caller)) {
          continue;
        }
        while (!worker.join(look) && System.nanoTime() - until < 0) {
          // A handler that takes its time keeps its lease meanwhile.
          if (System.nanoTime() - renewalDue >= 0) {
            renewalDue = System.nanoTime() + leaseDuration.toNanos() / 2;
            keep(all);
          }
        }
        if (!worker.ended()) {
          LOG.warn(
              "{} did not stop within {}; its handler is interrupted",
              worker.lease().name(),
              shared.stopTimeout);
          worker.interrupt();
          worker.join(Duration.ofSeconds(1));
        }
      }
    } catch (InterruptedException e) {
      all.forEach(Worker::interrupt);
      Thread.currentThread().interrupt();
    }
    workers.clear();
  }

  private void keep(List<Worker> stoppingWorkers) {
    for (Worker worker : stoppingWorkers) {
      if (!worker.ended()) {
        try {
          long now = System.nanoTime();
          worker.renewed(
              storage.leases().renew(worker.lease(), leaseDuration), now + leaseDuration.toNanos());
        } catch (LeaseLostException e) {
          LOG.debug("{} ended meanwhile", worker.lease().name());
        } catch (RuntimeException e) {
          LOG.warn("{} could not be renewed: {}", worker.lease().name(), e.toString());
        }
      }
    }
  }

  synchronized void releaseMembership() {
    if (membership != null) {
      try {
        storage.leases().release(membership);
      } catch (RuntimeException e) {
        LOG.debug("A membership could not be given back; it expires by itself", e);
      }
      membership = null;
    }
  }
}
