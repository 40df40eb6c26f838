package dev.sluice.core.translation;

import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.outbox.IntegrationEvent;
import java.lang.reflect.Modifier;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * Makes integration events from a domain event: the only way out of the bounded context.
 *
 * <p>It must be pure, the same result for the same event at any time, and safe for use by any
 * number of threads. It runs as part of each append, before anything is stored; what it throws
 * fails the append.
 */
@FunctionalInterface
public interface Translator {

  /** Makes none, one, or several integration events, in the order to publish them in. */
  List<Outgoing> translate(DomainEvent event, Source source);

  /** Lets nothing out. */
  static Translator none() {
    return (event, source) -> List.of();
  }

  /** Starts a translator that goes by the classes of domain events. */
  static Builder builder() {
    return new Builder();
  }

  /** Collects translations, one for each class. Classes without one stay inside. */
  final class Builder {

    private final Map<Class<?>, BiFunction<DomainEvent, Source, List<Outgoing>>> byClass =
        new HashMap<>();

    private Builder() {}

    /** One integration event for each event of a class. */
    public <E extends DomainEvent> Builder one(
        Class<E> type, Function<? super E, ? extends IntegrationEvent> translation) {
      return many(type, (event, source) -> List.of(Outgoing.of(translation.apply(event))));
    }

    /** One integration event for some of the events of a class. */
    public <E extends DomainEvent> Builder some(
        Class<E> type,
        Function<? super E, ? extends Optional<? extends IntegrationEvent>> translation) {
      return many(
          type,
          (event, source) ->
              notNull(type, translation.apply(event))
                  .<List<Outgoing>>map(out -> List.of(Outgoing.of(out)))
                  .orElse(List.of()));
    }

    private static <T> T notNull(Class<?> type, T result) {
      if (result == null) {
        throw new IllegalStateException(
            "the translation of a "
                + type.getName()
                + " has returned null, which is a bug in it: return Optional.empty() if it stays"
                + " inside");
      }
      return result;
    }

    /** Any number of integration events for each event of a class, which may look at its source. */
    public <E extends DomainEvent> Builder many(
        Class<E> type, BiFunction<? super E, Source, List<Outgoing>> translation) {
      if (type.isInterface() || Modifier.isAbstract(type.getModifiers())) {
        throw new IllegalArgumentException(
            type.getName() + " is not the class of an event; translate each of its classes");
      }
      if (byClass.put(type, (event, source) -> translation.apply(type.cast(event), source))
          != null) {
        throw new IllegalArgumentException(type.getName() + " already has a translation");
      }
      return this;
    }

    /** Builds the translator. */
    public Translator build() {
      Map<Class<?>, BiFunction<DomainEvent, Source, List<Outgoing>>> all = Map.copyOf(byClass);
      return (event, source) -> {
        var translation = all.get(event.getClass());
        return translation == null ? List.of() : translation.apply(event, source);
      };
    }
  }
}
