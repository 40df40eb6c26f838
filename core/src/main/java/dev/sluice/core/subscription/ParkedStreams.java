package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.PageLimit;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.subscription.PartitionState.Failing;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Goes on with the streams of one partition that were parked. Used by one thread. */
final class ParkedStreams {

  private static final Logger LOG = LoggerFactory.getLogger(ParkedStreams.class);

  private static final int MAX_PAGE = 200;

  private final EventStore events;
  private final Subscription subscription;
  private final Partition partition;
  private final String name;
  private final Cursor cursor;
  private final Delivery delivery;
  private final SubscriptionListener listener;
  private final Delivery.Control control;
  private final PageLimit limit = new PageLimit(MAX_PAGE);

  ParkedStreams(
      EventStore events,
      Subscription subscription,
      Partition partition,
      String name,
      Cursor cursor,
      Delivery delivery,
      SubscriptionListener listener,
      Delivery.Control control) {
    this.events = events;
    this.subscription = subscription;
    this.partition = partition;
    this.name = name;
    this.cursor = cursor;
    this.delivery = delivery;
    this.listener = listener;
    this.control = control;
  }

  /** One more try for the events of streams that somebody has resumed. */
  void retry() {
    for (Failing parked : List.copyOf(cursor.state().parked().values())) {
      if (parked.resumed()) {
        retry(parked);
      }
    }
  }

  private void retry(Failing parked) {
    Failing next = parked;
    int left = subscription.batchSize();
    while (control.goesOn()) {
      List<RecordedEvent> waiting = waiting(next);
      if (waiting.isEmpty()) {
        cursor.save(cursor.state().unpark(next.stream()));
        LOG.info("{} has caught up with the parked stream {}", name, next.stream());
        return;
      }
      for (int i = 0; i < waiting.size(); i++) {
        if (!control.goesOn() || left-- == 0) {
          return;
        }
        RecordedEvent event = waiting.get(i);
        Failing at = next.isFor(event) ? next : next.at(event);
        if (at.attempts() >= subscription.failures().maxAttempts()) {
          // Each of these tries has ended its process.
          parkAgain(at, Delivery.ENDED_EACH_TIME);
          return;
        }
        Failing tried = at.tried(at.attempts() + 1, at.error());
        cursor.save(cursor.state().park(tried));
        Failing following = tried.next(event.position());
        try {
          delivery.handleOne(
              tried.replaced(event), cursor.position(), cursor.state().park(following));
        } catch (RuntimeException e) {
          if (delivery.isNoFailure(e)) {
            cursor.save(cursor.state().park(at));
            throw e;
          }
          parkAgain(tried, e.toString());
          return;
        }
        next = following;
      }
    }
  }

  private void parkAgain(Failing failing, String error) {
    cursor.save(cursor.state().park(failing.tried(failing.attempts(), error).waiting()));
    LOG.error(
        "{} failed again on the parked stream {} at version {}, which stays parked: {}",
        name,
        failing.stream(),
        failing.version(),
        error);
    listener.parked(subscription.name(), partition.index(), error);
  }

  /** A page of what waits in a parked stream: what the cursor has passed meanwhile. */
  private List<RecordedEvent> waiting(Failing parked) {
    long from = parked.version();
    for (; ; ) {
      LogPage page = read(parked.stream(), from);
      List<RecordedEvent> passed =
          page.events().stream()
              .filter(event -> !event.position().isAfter(cursor.position()))
              .toList();
      List<RecordedEvent> wanted = passed.stream().filter(subscription::matches).toList();
      if (!wanted.isEmpty() || !page.more() || passed.size() < page.events().size()) {
        return wanted;
      }
      from = passed.getLast().version() + 1;
    }
  }

  private LogPage read(StreamId stream, long from) {
    return limit.read(
        count -> {
          List<RecordedEvent> found = events.read(stream, StreamRange.forwards(from, count));
          Position next = found.isEmpty() ? Position.START : found.getLast().position();
          return new LogPage(found, next, found.size() == count);
        });
  }
}
