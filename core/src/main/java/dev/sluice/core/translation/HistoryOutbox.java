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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The integration messages that were never made, because their type came later than the domain
 * events: read from the global log through the translator, as if they had been stored. A relay of
 * its own publishes them, with all that a relay guarantees.
 *
 * <p>Of the types that it is given it holds exactly what {@link Translation#startingAt} leaves out
 * of the live outbox, in the order of the domain events, with the ids that the messages would have
 * had then. Nothing is stored, so nothing is pruned. Between these messages and live ones of the
 * same key there is no order.
 *
 * <p>Give each type, or set of types that begins at once, a relay with a name of its own. A relay
 * that has passed a part of history never looks at it again, so one whose types have changed
 * publishes nothing and says why.
 *
 * <p>Its relay may be closed when it has nothing left <i>and</i> the moment of {@code startingAt}
 * has passed in all processes: what is appended with an older time until then is history too. So is
 * what is imported later with older times.
 *
 * <p>Positions are of its own. Safe for use by any number of threads.
 */
public final class HistoryOutbox implements Outbox {

  /** The greatest number of messages that are made from one domain event. */
  private static final int MAX_PER_EVENT = 64;

  private static final int MAX_PAGE = 1_000;

  /** Two for each lane of a relay that has as many as can be. */
  private static final int MAX_QUIET = 128;

  private final GlobalLog log;
  private final EventFilter filter;
  private final EventCodec codec;
  private final Translation translation;
  private final Set<String> types;
  private final PageLimit pageLimit = new PageLimit(MAX_PAGE);

  /**
   * Positions behind which nothing is found for a long while, with how far the log was looked
   * through from there, lest that be done again every time. Relays ask behind their last message,
   * and now and then behind the one before it.
   */
  private final Map<Position, Position> quiet =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Position, Position> eldest) {
          return size() > MAX_QUIET;
        }
      };

  /**
   * Reads history.
   *
   * @param filter lets through at least the domain events that the types are made from
   * @param translation the live one
   * @param types the registered names of the types to make
   * @throws IllegalArgumentException if there is none, or one without {@link
   *     Translation#startingAt}
   */
  public HistoryOutbox(
      GlobalLog log,
      EventFilter filter,
      EventCodec codec,
      Translation translation,
      String... types) {
    this.log = log;
    this.filter = filter;
    this.codec = codec;
    this.translation = translation;
    this.types = new TreeSet<>(List.of(types));
    if (this.types.isEmpty()) {
      throw new IllegalArgumentException("name at least one type to make from history");
    }
    for (String type : this.types) {
      if (!translation.hasStart(type)) {
        throw new IllegalArgumentException(
            "nothing of type '"
                + type
                + "' is left to history: say with Translation.startingAt when it goes live");
      }
    }
  }

  @Override
  public List<OutboxMessage> read(Position after, int limit) {
    Outbox.checkedLimit(limit);
    List<OutboxMessage> messages = new ArrayList<>();
    Position from = lookedThrough(after).orElseGet(() -> before(eventOf(after)));
    LogPage page;
    do {
      Position behind = from;
      page = pageLimit.read(count -> log.read(behind, filter, count));
      for (RecordedEvent event : page.events()) {
        for (OutboxMessage message : messages(event)) {
          if (message.position().isAfter(after) && messages.size() < limit) {
            if (messages.isEmpty() && !event.equals(page.events().getFirst())) {
              remember(after, before(event.position()));
            }
            messages.add(message);
          }
        }
        if (messages.size() == limit) {
          return messages;
        }
      }
      from = page.next();
      if (messages.isEmpty()) {
        remember(after, from);
      }
    } while (page.more());
    return messages;
  }

  private Optional<Position> lookedThrough(Position after) {
    synchronized (quiet) {
      return Optional.ofNullable(quiet.get(after));
    }
  }

  private void remember(Position after, Position to) {
    synchronized (quiet) {
      quiet.merge(after, to, Position::max);
    }
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
      return translation.translateMissed(event, source, types);
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
    return log.count(lookedThrough(after).orElseGet(() -> eventOf(after)), filter);
  }

  /** Not that of stored messages, whose pruning would take these positions for its own. */
  @Override
  public String checkpointPrefix() {
    return "backfill/";
  }

  @Override
  public String contents() {
    return "history of " + String.join(", ", types);
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
