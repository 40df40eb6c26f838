package dev.sluice.core.subscription;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventFilter;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a partition's checkpoint holds beside the position, so that all of it moves in one write.
 *
 * @param partitions into how many the subscription is split
 * @param owned whether an owner has begun and not ended in order: found by the next owner, it means
 *     that the last one vanished, maybe killed by an event
 * @param applied the number of the last command that was applied
 * @param failing the event that has failed, or is being tried with suspicion
 * @param stopped whether the partition has stopped at the failing event
 * @param parked the parked streams, in the order in which they were parked
 * @param decisions the last decisions of people
 * @param reads what the last owner read; empty before the first
 */
record PartitionState(
    int partitions,
    boolean owned,
    long applied,
    Optional<Failing> failing,
    boolean stopped,
    Map<StreamId, Failing> parked,
    List<SubscriptionStatus.Decision> decisions,
    Optional<EventFilter> reads) {

  private static final int KEPT_DECISIONS = 20;
  private static final int MAX_ERROR = 300;

  /** An event that can't be dealt with, so far. */
  record Failing(
      StreamId stream,
      long version,
      Position position,
      int attempts,
      String error,
      Instant since,
      boolean resumed,
      Optional<Replacement> replacement) {

    Failing {
      error = error.length() <= MAX_ERROR ? error : error.substring(0, MAX_ERROR) + "…";
    }

    static Failing first(RecordedEvent event, int attempts, String error) {
      return new Failing(
          event.stream(),
          event.version(),
          event.position(),
          attempts,
          error,
          Instant.now(),
          false,
          Optional.empty());
    }

    boolean isFor(RecordedEvent event) {
      return version == event.version() && stream.equals(event.stream());
    }

    Failing tried(int attempts, String error) {
      return new Failing(stream, version, position, attempts, error, since, resumed, replacement);
    }

    Failing resume(Optional<Replacement> replacement) {
      return new Failing(stream, version, position, 0, error, since, true, replacement);
    }

    Failing waiting() {
      return new Failing(
          stream, version, position, attempts, error, since, false, Optional.empty());
    }

    Failing at(RecordedEvent event) {
      return new Failing(
          stream, event.version(), event.position(), 0, "", since, true, Optional.empty());
    }

    /** The event after this one, to be tried at once. */
    Failing next(Position passed) {
      return new Failing(stream, version + 1, passed, 0, "", since, true, Optional.empty());
    }

    /** What the handler is given: the event, or what somebody replaced it with. */
    RecordedEvent replaced(RecordedEvent event) {
      return replacement
          .map(
              with ->
                  new RecordedEvent(
                      event.id(),
                      event.stream(),
                      event.version(),
                      event.position(),
                      with.type(),
                      event.time(),
                      with.data(),
                      event.metadata()))
          .orElse(event);
    }
  }

  /** What the handler is given instead of an event. */
  record Replacement(String type, Payload data) {

    /** In two fields; they are empty if there is none. The data need not be text. */
    static List<String> fields(Optional<Replacement> replacement) {
      return replacement
          .map(with -> List.of(with.type, Base64.getEncoder().encodeToString(with.data.toBytes())))
          .orElse(List.of("", ""));
    }

    static Optional<Replacement> of(List<String> line, int first) {
      return line.get(first).isEmpty()
          ? Optional.empty()
          : Optional.of(
              new Replacement(
                  line.get(first), Payload.of(Base64.getDecoder().decode(line.get(first + 1)))));
    }
  }

  PartitionState {
    parked = Collections.unmodifiableMap(new LinkedHashMap<>(parked));
    decisions = List.copyOf(decisions);
  }

  static PartitionState initial(int partitions) {
    return new PartitionState(
        partitions, false, 0, Optional.empty(), false, Map.of(), List.of(), Optional.empty());
  }

  PartitionState withOwned(boolean owned) {
    return new PartitionState(
        partitions, owned, applied, failing, stopped, parked, decisions, reads);
  }

  PartitionState withReads(EventFilter filter) {
    return new PartitionState(
        partitions, owned, applied, failing, stopped, parked, decisions, Optional.of(filter));
  }

  /**
   * What a filter lets through that the last owner did not read, in words: a type that an older
   * version of the service didn't know, for example. Empty if that is nothing, or not known.
   */
  String notReadBefore(EventFilter filter) {
    return reads
        .map(
            before ->
                Stream.of(
                        added("categories", before.categories(), filter.categories()),
                        added("types", before.types(), filter.types()))
                    .filter(added -> !added.isEmpty())
                    .collect(Collectors.joining(", ")))
        .orElse("");
  }

  private static String added(String what, Set<String> before, Set<String> now) {
    if (before.isEmpty() || (!now.isEmpty() && before.containsAll(now))) {
      return "";
    }
    Set<String> added = new TreeSet<>(now);
    added.removeAll(before);
    return what + " " + (now.isEmpty() ? "[all]" : added);
  }

  PartitionState withFailing(Failing failing) {
    return new PartitionState(
        partitions, owned, applied, Optional.of(failing), false, parked, decisions, reads);
  }

  PartitionState withoutFailing() {
    return failing.isEmpty()
        ? this
        : new PartitionState(
            partitions, owned, applied, Optional.empty(), false, parked, decisions, reads);
  }

  PartitionState stop() {
    return new PartitionState(partitions, owned, applied, failing, true, parked, decisions, reads);
  }

  PartitionState park(Failing event) {
    Map<StreamId, Failing> more = new LinkedHashMap<>(parked);
    more.put(event.stream(), event);
    return new PartitionState(partitions, owned, applied, failing, stopped, more, decisions, reads);
  }

  PartitionState unpark(StreamId stream) {
    Map<StreamId, Failing> fewer = new LinkedHashMap<>(parked);
    fewer.remove(stream);
    return new PartitionState(
        partitions, owned, applied, failing, stopped, fewer, decisions, reads);
  }

  PartitionState withApplied(long applied) {
    return new PartitionState(
        partitions, owned, applied, failing, stopped, parked, decisions, reads);
  }

  PartitionState decided(SubscriptionStatus.Decision decision) {
    List<SubscriptionStatus.Decision> more = new ArrayList<>(decisions);
    more.add(decision);
    return new PartitionState(
        partitions,
        owned,
        applied,
        failing,
        stopped,
        parked,
        more.subList(Math.max(0, more.size() - KEPT_DECISIONS), more.size()),
        reads);
  }

  boolean hasResumed() {
    return !parked.isEmpty() && parked.values().stream().anyMatch(Failing::resumed);
  }

  Payload encode() {
    Lines lines = new Lines().add("partition", partitions, owned, applied, stopped);
    reads.ifPresent(
        filter -> {
          lines.add(line("categories", filter.categories()));
          lines.add(line("types", filter.types()));
        });
    failing.ifPresent(event -> add(lines, "failing", event));
    parked.values().forEach(event -> add(lines, "parked", event));
    for (SubscriptionStatus.Decision decision : decisions) {
      lines.add(
          "decision",
          decision.what(),
          decision.stream(),
          decision.version(),
          decision.who(),
          decision.why(),
          decision.at());
    }
    return lines.toPayload();
  }

  private static Object[] line(String kind, Set<String> names) {
    return Stream.concat(Stream.of(kind), names.stream()).toArray();
  }

  private static void add(Lines lines, String kind, Failing event) {
    List<String> replacement = Replacement.fields(event.replacement());
    lines.add(
        kind,
        event.stream(),
        event.version(),
        event.position(),
        event.attempts(),
        event.error(),
        event.since(),
        event.resumed(),
        replacement.getFirst(),
        replacement.getLast());
  }

  static PartitionState decode(String name, Payload payload) {
    PartitionState state = initial(1);
    Optional<Failing> failing = Optional.empty();
    Map<StreamId, Failing> parked = new LinkedHashMap<>();
    List<SubscriptionStatus.Decision> decisions = new ArrayList<>();
    Optional<EventFilter> reads = Optional.empty();
    for (List<String> line : Lines.parse(name, payload)) {
      String kind = line.getFirst();
      if (kind.equals("partition")) {
        state =
            new PartitionState(
                Integer.parseInt(line.get(1)),
                Boolean.parseBoolean(line.get(2)),
                Long.parseLong(line.get(3)),
                failing,
                Boolean.parseBoolean(line.get(4)),
                parked,
                decisions,
                reads);
      } else if (kind.equals("categories")) {
        reads = Optional.of(new EventFilter(names(line), Set.of()));
      } else if (kind.equals("types")) {
        reads = reads.map(filter -> filter.withTypes(names(line)));
      } else if (kind.equals("failing")) {
        failing = Optional.of(failing(line));
      } else if (kind.equals("parked")) {
        Failing event = failing(line);
        parked.put(event.stream(), event);
      } else if (kind.equals("decision")) {
        decisions.add(decision(line, 1));
      } else {
        throw new IllegalStateException(
            "the state of '" + name + "' has a line that this version does not know: " + kind);
      }
    }
    return new PartitionState(
        state.partitions,
        state.owned,
        state.applied,
        failing,
        state.stopped,
        parked,
        decisions,
        reads);
  }

  private static Set<String> names(List<String> line) {
    return Set.copyOf(line.subList(1, line.size()));
  }

  static SubscriptionStatus.Decision decision(List<String> line, int first) {
    return new SubscriptionStatus.Decision(
        line.get(first),
        StreamId.parse(line.get(first + 1)),
        Long.parseLong(line.get(first + 2)),
        line.get(first + 3),
        line.get(first + 4),
        Instant.parse(line.get(first + 5)));
  }

  private static Failing failing(List<String> line) {
    return new Failing(
        StreamId.parse(line.get(1)),
        Long.parseLong(line.get(2)),
        Position.parse(line.get(3)),
        Integer.parseInt(line.get(4)),
        line.get(5),
        Instant.parse(line.get(6)),
        Boolean.parseBoolean(line.get(7)),
        Replacement.of(line, 8));
  }
}
