package dev.sluice.core.translation;

import dev.sluice.core.EventTypes;
import dev.sluice.core.UnregisteredTypeException;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.EventIds;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.serialization.Serializer;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A translator with what it takes to serialise its results: the registry of the published language
 * and a serializer. Immutable, and safe for use by any number of threads.
 */
public final class Translation {

  private static final Translation NONE =
      new Translation(
          Translator.none(), EventTypes.<IntegrationEvent>builder().build(), null, Map.of());

  private final Translator translator;
  private final EventTypes<IntegrationEvent> types;
  private final @Nullable Serializer serializer;
  private final Map<String, Instant> starts;

  private Translation(
      Translator translator,
      EventTypes<IntegrationEvent> types,
      @Nullable Serializer serializer,
      Map<String, Instant> starts) {
    this.translator = translator;
    this.types = types;
    this.serializer = serializer;
    this.starts = Map.copyOf(starts);
  }

  /** Lets nothing out. */
  public static Translation none() {
    return NONE;
  }

  /**
   * Lets out what a translator makes.
   *
   * @param types the published language; an event that is not in it is refused
   * @param serializer must write JSON
   */
  public static Translation of(
      Translator translator, EventTypes<IntegrationEvent> types, Serializer serializer) {
    return new Translation(translator, types, serializer, Map.of());
  }

  /**
   * A copy in which a new type of integration event goes live at a moment: of domain events that
   * happened earlier none is made, also if they are appended later. Those are left to a {@link
   * HistoryOutbox}, so each one is made exactly once.
   *
   * @param start in whole microseconds, and after the last process of a version without this
   *     translation has ended
   * @throws IllegalArgumentException if the type is not in the published language
   */
  public Translation startingAt(String type, Instant start) {
    if (types.classOf(type).isEmpty()) {
      throw new IllegalArgumentException(
          "integration event type '" + type + "' is not in the published language: register it");
    }
    Map<String, Instant> all = new HashMap<>(starts);
    all.put(type, start.truncatedTo(ChronoUnit.MICROS));
    return new Translation(translator, types, serializer, all);
  }

  /**
   * The integration messages for a domain event, in their order.
   *
   * <p>A message's id is derived from the domain event's id, the message's type, and its number
   * among those of the same type: it is the same whenever the event is translated again, also by a
   * translator that has learnt further types since.
   *
   * @throws UnregisteredTypeException if one is not in the published language
   * @throws dev.sluice.core.serialization.SerializationException if one can't be serialised
   */
  public List<IntegrationMessage> translate(DomainEvent event, Source source) {
    return translate(event, source, (type, isHistory) -> !isHistory);
  }

  /** Those of some types that {@link #translate} leaves out, because the type went live later. */
  List<IntegrationMessage> translateMissed(DomainEvent event, Source source, Set<String> wanted) {
    return translate(event, source, (type, isHistory) -> isHistory && wanted.contains(type));
  }

  boolean hasStart(String type) {
    return starts.containsKey(type);
  }

  /** Which messages are made. */
  private interface Selection {
    boolean includes(String type, boolean isHistory);
  }

  private List<IntegrationMessage> translate(
      DomainEvent event, Source source, Selection selection) {
    List<Outgoing> all = translator.translate(event, source);
    if (all == null) {
      throw translatorBug(event);
    }
    if (all.isEmpty() || serializer == null) {
      return List.of();
    }
    List<IntegrationMessage> messages = new ArrayList<>(all.size());
    Map<String, Integer> numbers = new HashMap<>();
    for (Outgoing outgoing : all) {
      if (outgoing == null || outgoing.event() == null) {
        throw translatorBug(event);
      }
      String type = nameOf(outgoing.event().getClass());
      int number = numbers.merge(type, 1, Integer::sum);
      Instant start = starts.get(type);
      if (!selection.includes(type, start != null && source.time().isBefore(start))) {
        continue;
      }
      String aggregateId = source.stream().id();
      messages.add(
          new IntegrationMessage(
              EventIds.derived(source.eventId(), type + "/" + number),
              type,
              outgoing.key().orElse(aggregateId),
              aggregateId,
              source.time(),
              serializer.write(outgoing.event()),
              source.metadata().correlationId(),
              source.metadata().causationId()));
    }
    return messages;
  }

  private static IllegalStateException translatorBug(DomainEvent event) {
    return new IllegalStateException(
        "the translator has returned null for a "
            + event.getClass().getName()
            + ", which is a bug in it: return an empty list if nothing is to leave");
  }

  /** Says which registry, since a service has one of domain events, too. */
  private String nameOf(Class<?> type) {
    String name = types.namesByClass().get(type);
    if (name == null) {
      throw new UnregisteredTypeException(
          type.getName()
              + " has no registered event type name in the published language; give it an"
              + " @EventType and register it with the EventTypes that Translation.of is given");
    }
    return name;
  }
}
