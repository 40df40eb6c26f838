package dev.sluice.core.translation;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.serialization.EventCodec;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.GlobalLog;
import dev.sluice.core.store.LogPage;
import dev.sluice.core.store.PageLimit;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The integration messages that were never made, because their type came later than the domain
 * events: read from the global log through the translator, as if they had been stored. A relay of
 * its own publishes them, with all that a relay guarantees.
 *
 * <p>It holds exactly what {@link Translation#startingAt} leaves out of the live outbox, in the
 * order of the domain events, with the ids that the messages would have had then. Nothing is
 * stored, so nothing is pruned. Between these messages and live ones of the same key there is no
 * order.
 *
 * <p>Its relay may be closed when it has nothing left <i>and</i> the moment of {@code startingAt}
 * has passed in all processes: what is appended with an older time until then is history too. So is
 * what is imported later with older times.
 *
 * <p>Positions are of its own. Safe for use by any number of threads.
 */
public final class HistoryOutbox implements Outbox {

  /** The greatest number of messages that are made from one domain event. */
  public static final int MAX_PER_EVENT = 64;

  private static final int MAX_PAGE = 1_000;

  private final GlobalLog log;
  private final EventFilter filter;
  private final EventCodec codec;
  private final Translation translation;
  private final PageLimit pageLimit = new PageLimit(MAX_PAGE);

  /** Where the log holds nothing for who reads behind {@code after}, lest it be read every time. */
  private volatile @Nullable Quiet quiet;

  private record Quiet(Position after, Position scanned) {}

  /**
   * Reads history.
   *
   * @param filter lets through at least the domain events that the new types are made from
   * @param translation the live one, with {@link Translation#startingAt} for each new type
   */
  public HistoryOutbox(
      GlobalLog log, EventFilter filter, EventCodec codec, Translation translation) {
    this.log = log;
    this.filter = filter;
    this.codec = codec;
    this.translation = translation;
  }

  @Override
  public List<OutboxMessage> read(Position after, int limit) {
    Outbox.checkedLimit(limit);
    List<OutboxMessage> messages = new ArrayList<>();
    Quiet known = quiet;
    Position from =
        known != null && known.after().equals(after) ? known.scanned() : before(eventOf(after));
    LogPage page;
    do {
      Position behind = from;
      page = pageLimit.read(count -> log.read(behind, filter, count));
      for (RecordedEvent event : page.events()) {
        for (OutboxMessage message : messages(event)) {
          if (message.position().isAfter(after) && messages.size() < limit) {
            messages.add(message);
          }
        }
        if (messages.size() == limit) {
          return messages;
        }
      }
      from = page.next();
      if (messages.isEmpty() && (known == null || !known.after().isAfter(after))) {
        quiet = new Quiet(after, from);
      }
    } while (page.more());
    return messages;
  }

  private List<OutboxMessage> messages(RecordedEvent recorded) {
    List<IntegrationMessage> made = translate(recorded);
    if (made.size() > MAX_PER_EVENT) {
      throw new IllegalArgumentException(
          "event "
              + recorded.id()
              + " gives "
              + made.size()
              + " messages of new types; at most "
              + MAX_PER_EVENT
              + " can be made from history");
    }
    List<OutboxMessage> messages = new ArrayList<>(made.size());
    for (int i = 0; i < made.size(); i++) {
      messages.add(new OutboxMessage(positionOf(recorded.position(), i), made.get(i)));
    }
    return messages;
  }

  private List<IntegrationMessage> translate(RecordedEvent recorded) {
    DomainEvent event = codec.decode(recorded);
    Source source =
        new Source(
            recorded.stream(), recorded.id(), recorded.time(), codec.decodeMetadata(recorded));
    try {
      return translation.translateMissed(event, source);
    } catch (RuntimeException e) {
      throw new IllegalStateException(
          "the translator fails on event "
              + recorded.id()
              + " of type '"
              + recorded.type()
              + "' in "
              + recorded.stream()
              + ", and nothing behind it is made until it is mended: "
              + e.getMessage(),
          e);
    }
  }

  private static Position positionOf(Position event, int number) {
    return new Position(Math.addExact(Math.multiplyExact(event.value(), MAX_PER_EVENT), number));
  }

  private static Position eventOf(Position message) {
    return new Position(message.value() / MAX_PER_EVENT);
  }

  /** So that the event itself is read again: there may be more messages of it. */
  private static Position before(Position event) {
    return new Position(Math.max(0, event.value() - 1));
  }

  /** Behind all messages of the last event that can be read. */
  @Override
  public Position head() {
    return positionOf(log.status().head(), MAX_PER_EVENT - 1);
  }

  /** How many domain events are still to be looked at. */
  @Override
  public long count(Position after) {
    Quiet known = quiet;
    return log.count(
        known != null && known.after().equals(after) ? known.scanned() : eventOf(after), filter);
  }

  /** Not that of stored messages, whose pruning would take these positions for its own. */
  @Override
  public String checkpointPrefix() {
    return "backfill/";
  }

  /** Nothing is stored here, so nothing is removed. */
  @Override
  public int prune(int max) {
    return 0;
  }

  @Override
  public Registration onAppend(Runnable hint) {
    return log.onAppend(hint);
  }
}
