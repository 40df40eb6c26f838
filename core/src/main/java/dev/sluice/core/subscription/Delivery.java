package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.StoreUnavailableException;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.coordination.CheckpointConflictException;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.subscription.PartitionState.Failing;
import dev.sluice.core.subscription.Subscription.Consumer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands events to the handler, in batches or, under suspicion, one by one, and notes what becomes
 * of them. Used by one thread.
 */
final class Delivery {

  private static final Logger LOG = LoggerFactory.getLogger(Delivery.class);

  static final String ENDED_EACH_TIME =
      "its handling ended each time with the process, or with an Error that is in the log";

  /** What others decide meanwhile. */
  interface Control {

    /** Whether the next event may be begun: not after a stop, nor without a valid lease. */
    boolean goesOn();

    /** Whether the handler was interrupted because of a stop. */
    boolean isInterrupted();
  }

  private final Subscription subscription;
  private final Partition partition;
  private final String name;
  private final Consumer consumer;
  private final Cursor cursor;
  private final SubscriptionListener listener;
  private final Control control;
  private int careful;
  private long retryAt = System.nanoTime();

  Delivery(
      Subscription subscription,
      Partition partition,
      String name,
      Consumer consumer,
      Cursor cursor,
      SubscriptionListener listener,
      Control control) {
    this.subscription = subscription;
    this.partition = partition;
    this.name = name;
    this.consumer = consumer;
    this.cursor = cursor;
    this.listener = listener;
    this.control = control;
  }

  /** Counts each try of so many events before it begins: one of them may have ended its process. */
  void suspect(int events) {
    careful = events;
  }

  /** Does not wait for the next try of an event that has failed. */
  void retryNow() {
    retryAt = System.nanoTime();
  }

  /** How long until the next try, in nanoseconds; 0 or less if nothing has failed. */
  long untilRetry() {
    return cursor.state().failing().isPresent() ? retryAt - System.nanoTime() : 0;
  }

  /**
   * Deals with a page, up to its end, or to where a failure, a stop or the end of the lease leaves
   * the cursor.
   */
  void deliver(LogPage page) {
    List<RecordedEvent> events = new ArrayList<>(page.events().size());
    for (RecordedEvent event : page.events()) {
      if (event.position().isAfter(cursor.position()) && partition.contains(event.stream())) {
        events.add(event);
      }
    }
    int done = 0;
    while (done < events.size()) {
      if (!control.goesOn()) {
        return;
      }
      if (careful > 0 || cursor.state().failing().isPresent()) {
        if (!deliverOne(events.get(done))) {
          return;
        }
        careful = Math.max(0, careful - 1);
        done++;
        continue;
      }
      int end = Math.min(events.size(), done + subscription.batchSize());
      if (!deliverBatch(events.subList(done, end), end == events.size() ? page.next() : null)) {
        return;
      }
      done = end;
    }
    if (page.next().isAfter(cursor.position())) {
      cursor.move(page.next());
      // Also what was left out must be saved from time to time, but not for each event of others.
      if (cursor.untilSave() <= 0) {
        cursor.save(cursor.state());
      }
    }
  }

  /**
   * Deals with several events and saves the checkpoint once.
   *
   * @param next where the cursor goes after them, if not to the last of them
   * @return whether all were dealt with
   */
  private boolean deliverBatch(List<RecordedEvent> events, @Nullable Position next) {
    List<RecordedEvent> batch = withoutParked(events);
    Position end = next != null ? next : events.getLast().position();
    if (batch.isEmpty()) {
      cursor.move(end);
      return true;
    }
    long begin = System.nanoTime();
    switch (consumer) {
      case Consumer.Batch processor -> {
        try {
          process(processor.processor(), batch, end, cursor.state());
        } catch (RuntimeException e) {
          if (isNoFailure(e)) {
            throw e;
          }
          // Which event it was is not known yet: they are tried one by one.
          careful = batch.size();
          LOG.info("{} failed on a batch; trying its events one by one: {}", name, e.toString());
          return false;
        }
      }
      case Consumer.One one -> {
        int done = 0;
        for (RecordedEvent event : batch) {
          // Also when the lease has run out: another owner may be at the next one already.
          if (!control.goesOn()) {
            break;
          }
          try {
            one.handler().handle(event);
          } catch (RuntimeException e) {
            saveAfter(batch, done, begin);
            if (isNoFailure(e)) {
              throw e;
            }
            failed(event, 1, e);
            return false;
          }
          done++;
        }
        if (done < batch.size()) {
          saveAfter(batch, done, begin);
          return false;
        }
        cursor.save(end, cursor.state());
      }
    }
    tellHandled(batch.size(), begin);
    return true;
  }

  private void saveAfter(List<RecordedEvent> batch, int done, long begin) {
    if (done > 0) {
      cursor.save(batch.get(done - 1).position(), cursor.state());
      tellHandled(done, begin);
    }
  }

  private void tellHandled(int events, long begin) {
    listener.handled(
        subscription.name(),
        partition.index(),
        events,
        Duration.ofNanos(System.nanoTime() - begin));
  }

  private List<RecordedEvent> withoutParked(List<RecordedEvent> events) {
    return cursor.state().parked().isEmpty()
        ? events
        : events.stream()
            .filter(event -> !cursor.state().parked().containsKey(event.stream()))
            .toList();
  }

  /**
   * Deals with one event that is under suspicion: the try is counted before it begins.
   *
   * @return whether the cursor has moved past it
   */
  private boolean deliverOne(RecordedEvent event) {
    if (cursor.state().parked().containsKey(event.stream())) {
      cursor.move(event.position());
      return true;
    }
    Failing failing =
        cursor
            .state()
            .failing()
            .filter(known -> known.isFor(event))
            .orElseGet(() -> Failing.first(event, 0, ""));
    if (failing.attempts() >= subscription.failures().maxAttempts()) {
      return giveUp(event, failing);
    }
    Failing tried = failing.tried(failing.attempts() + 1, failing.error());
    cursor.save(cursor.state().withFailing(tried));
    long begin = System.nanoTime();
    try {
      handleOne(tried.replaced(event), event.position(), cursor.state().withoutFailing());
    } catch (RuntimeException e) {
      if (isNoFailure(e)) {
        // It was no attempt. If its outcome is unknown, this save is refused, and everything is
        // loaded again.
        cursor.save(
            failing.attempts() == 0
                ? cursor.state().withoutFailing()
                : cursor.state().withFailing(failing));
        throw e;
      }
      return failed(event, tried.attempts(), e);
    }
    tellHandled(1, begin);
    return true;
  }

  /**
   * An outage, the interrupt of a stop, or another owner: none is the event's fault. A conflict
   * about any other checkpoint is the handler's own, and a failure like others.
   */
  boolean isNoFailure(RuntimeException e) {
    return control.isInterrupted()
        || e instanceof StoreUnavailableException
        || (e instanceof CheckpointConflictException conflict
            && conflict.checkpointName().equals(name));
  }

  void handleOne(RecordedEvent event, Position to, PartitionState after) {
    switch (consumer) {
      case Consumer.Batch processor -> process(processor.processor(), List.of(event), to, after);
      case Consumer.One one -> {
        one.handler().handle(event);
        cursor.save(to, after);
      }
    }
  }

  /** Notes that a try has failed; returns whether the cursor has moved past the event. */
  private boolean failed(RecordedEvent event, int attempts, RuntimeException e) {
    Failing failing =
        cursor
            .state()
            .failing()
            .filter(known -> known.isFor(event))
            .orElseGet(() -> Failing.first(event, attempts, ""))
            .tried(attempts, e.toString());
    if (attempts == 1) {
      LOG.warn(
          "{} failed on {}, version {}, at {}; up to {} tries",
          name,
          event.stream(),
          event.version(),
          event.position(),
          subscription.failures().maxAttempts(),
          e);
    }
    cursor.save(cursor.state().withFailing(failing));
    if (attempts >= subscription.failures().maxAttempts()) {
      return giveUp(event, failing);
    }
    retryAt = System.nanoTime() + subscription.failures().pauseAfter(attempts).toNanos();
    listener.retrying(subscription.name(), partition.index(), attempts, failing.error());
    return false;
  }

  private boolean giveUp(RecordedEvent event, Failing failing) {
    String error = failing.error().isEmpty() ? ENDED_EACH_TIME : failing.error();
    Failing named = failing.tried(failing.attempts(), error);
    if (subscription.failures().then() == FailurePolicy.Then.PARK
        && cursor.state().parked().size() < FailurePolicy.MAX_PARKED) {
      cursor.save(event.position(), cursor.state().withoutFailing().park(named.waiting()));
      LOG.error(
          "{} has parked the stream {} at version {} after {} tries; its later events wait behind"
              + " it. Resume, skip or replace it: {}",
          name,
          event.stream(),
          event.version(),
          failing.attempts(),
          error);
      listener.parked(subscription.name(), partition.index(), error);
      return true;
    }
    cursor.save(cursor.state().withFailing(named).stop());
    LOG.error(
        "{} has stopped at {}, version {}, after {} tries. Resume, skip or replace it: {}",
        name,
        event.stream(),
        event.version(),
        failing.attempts(),
        error);
    listener.stopped(subscription.name(), partition.index(), error);
    return false;
  }

  private void process(
      BatchProcessor processor, List<RecordedEvent> events, Position to, PartitionState after) {
    Checkpoint next = cursor.next(to, after);
    processor.process(events, next);
    cursor.accept(next, after);
  }
}
