package dev.sluice.adapter.inmemory;

import static dev.sluice.adapter.inmemory.Faulty.checkpoints;
import static dev.sluice.adapter.inmemory.Faulty.events;
import static dev.sluice.adapter.inmemory.Faulty.log;
import static dev.sluice.adapter.inmemory.Faulty.mapped;
import static dev.sluice.adapter.inmemory.Faulty.mappedEvents;
import static dev.sluice.adapter.inmemory.Faulty.nullEmpty;
import static dev.sluice.adapter.inmemory.Faulty.refusing;
import static dev.sluice.adapter.inmemory.Faulty.storage;
import static dev.sluice.adapter.inmemory.Faulty.with;
import static dev.sluice.adapter.inmemory.Faulty.withoutBad;

import dev.sluice.adapter.inmemory.Faulty.Events;
import dev.sluice.adapter.inmemory.Faulty.Messages;
import dev.sluice.adapter.inmemory.Faulty.Wrapped;
import dev.sluice.adapter.inmemory.Mutants.Mutant;
import dev.sluice.core.Position;
import dev.sluice.core.coordination.Checkpoint;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.Outbox;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.EventStore;
import dev.sluice.core.store.VersionConflictException;
import dev.sluice.tck.EventStoreContract;
import dev.sluice.tck.OutboxContract;
import dev.sluice.tck.StorageFixture;
import java.text.Normalizer;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Faults of the outbox. */
final class OutboxMutants {

  private OutboxMutants() {}

  /** Prunes what all relays have passed, and takes some checkpoints for those of relays. */
  private static Supplier<StorageFixture> pruning(Predicate<String> isRelay) {
    return log(
        CommitLog::new,
        data ->
            new Wrapped(new InMemoryStorage(data)) {
              @Override
              public Outbox outbox() {
                return new Messages(super.outbox()) {
                  @Override
                  public int prune(int max) {
                    return checkpoints().list("").stream()
                        .filter(checkpoint -> isRelay.test(checkpoint.name()))
                        .map(Checkpoint::position)
                        .min(Position::compareTo)
                        .map(position -> data.log.prune(position, max))
                        .orElse(0);
                  }
                };
              }
            });
  }

  static List<Mutant> all() {
    Class<?> suite = OutboxContract.class;
    return List.of(
        new Mutant(
            "a page of the outbox ends with its first commit",
            suite,
            "O2_messages_are_read_in_the_order_of_their_events",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized List<OutboxMessage> readOutbox(Position after, int limit) {
                        List<OutboxMessage> page = super.readOutbox(after, limit);
                        return page.stream()
                            .takeWhile(m -> number(m) == number(page.getFirst()))
                            .toList();
                      }

                      private static long number(OutboxMessage message) {
                        return message.position().value() >> INDEX_BITS;
                      }
                    })),
        new Mutant(
            "a repeated append brings back what was pruned",
            suite,
            "O5_pruning_moves_neither_the_head_nor_what_is_appended_later",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized AppendResult commit(Open begun) {
                        if (repeated(begun.append).isPresent()) {
                          long position = ++lastNumber << INDEX_BITS;
                          for (NewEvent event : begun.append.events()) {
                            for (IntegrationMessage message : event.messages()) {
                              if (!messages.containsValue(message)) {
                                messages.put(position++, message);
                              }
                            }
                          }
                        }
                        return super.commit(begun);
                      }
                    })),
        new Mutant(
            "what begins with 'relay' is taken for a relay",
            suite,
            "O5_without_a_relay_nothing_is_pruned",
            pruning(name -> name.startsWith("relay"))),
        new Mutant(
            "a relay is a relay in whichever case",
            suite,
            "O5_without_a_relay_nothing_is_pruned",
            pruning(name -> name.toLowerCase(Locale.ROOT).startsWith(Outbox.RELAY_PREFIX))),
        new Mutant(
            "the outbox's head is remembered until this instance appends",
            suite,
            "O2_messages_behind_a_position_are_counted",
            storage(
                storage ->
                    new Wrapped(storage) {
                      private @Nullable Position known;

                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public Position head() {
                            Position head = known == null ? super.head() : known;
                            known = head;
                            return head;
                          }
                        };
                      }

                      @Override
                      public EventStore eventStore() {
                        return new Events(super.eventStore()) {
                          @Override
                          public AppendResult append(Append append) {
                            known = null;
                            return super.append(append);
                          }
                        };
                      }
                    })),
        new Mutant(
            "messages are written after the commit",
            suite,
            "O1_messages_are_there_when_the_append_returned",
            log(
                clock ->
                    new CommitLog(clock) {
                      private @Nullable NavigableMap<Long, IntegrationMessage> later;

                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        if (later != null) {
                          messages.putAll(later);
                        }
                        AppendResult result = super.store(append, tail, number);
                        var tailOf = messages.tailMap(number << INDEX_BITS, true);
                        later = new TreeMap<>(tailOf);
                        tailOf.clear();
                        return result;
                      }
                    })),
        new Mutant(
            "messages are dropped when an append tries again",
            suite,
            "O1_an_append_that_was_overtaken_on_its_stream_keeps_its_messages",
            log(
                clock ->
                    new CommitLog(clock) {
                      private final Map<UUID, Long> drawn = new HashMap<>();

                      @Override
                      void draw(Open begun) {
                        super.draw(begun);
                        drawn.putIfAbsent(begun.append.ids().getFirst(), begun.number);
                      }

                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        AppendResult result = super.store(append, tail, number);
                        if (number != drawn.getOrDefault(append.ids().getFirst(), number)) {
                          messages.tailMap(number << INDEX_BITS, true).clear();
                        }
                        return result;
                      }
                    })),
        new Mutant(
            "a message that can't be stored is swallowed",
            EventStoreContract.class,
            "S9_chars_that_not_every_store_holds_are_stored_or_refused_as_declared",
            refusing(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        return super.append(withoutBad(append));
                      }
                    })),
        new Mutant(
            "only the first message of an event is kept",
            suite,
            "O1_an_event_takes_none_one_or_several_messages_with_it",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        return super.store(
                            mappedEvents(
                                append,
                                e ->
                                    e.messages().isEmpty()
                                        ? e
                                        : with(e, e.messages().subList(0, 1))),
                            tail,
                            number);
                      }
                    })),
        new Mutant(
            "what is empty comes back absent",
            suite,
            "O1_messages_come_back_equal",
            storage(
                storage ->
                    new Wrapped(storage) {
                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public List<OutboxMessage> read(Position after, int limit) {
                            return super.read(after, limit).stream()
                                .map(m -> new OutboxMessage(m.position(), nullEmpty(m.message())))
                                .toList();
                          }
                        };
                      }
                    })),
        new Mutant(
            "the relay trusts the greatest position",
            suite,
            "O2_an_append_that_ends_late_is_not_missed_by_a_relay_that_has_read_on",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized List<OutboxMessage> readOutbox(Position after, int limit) {
                        return messages.tailMap(after.value(), false).entrySet().stream()
                            .limit(limit)
                            .map(e -> new OutboxMessage(new Position(e.getKey()), e.getValue()))
                            .toList();
                      }
                    })),
        new Mutant(
            "a conflict leaves its messages behind",
            suite,
            "O1_a_conflict_leaves_no_message",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized Open begin(Append append) {
                        try {
                          return super.begin(append);
                        } catch (VersionConflictException e) {
                          long position = ++lastNumber << INDEX_BITS;
                          for (NewEvent event : append.events()) {
                            for (IntegrationMessage message : event.messages()) {
                              messages.put(position++, message);
                            }
                          }
                          throw e;
                        }
                      }
                    })),
        new Mutant(
            "what is unpublished is pruned",
            suite,
            "O5_without_a_relay_nothing_is_pruned",
            log(
                clock -> new CommitLog(clock),
                data ->
                    new Wrapped(new InMemoryStorage(data)) {
                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public int prune(int max) {
                            return data.log.prune(head(), max);
                          }
                        };
                      }
                    })),
        new Mutant(
            "what the fastest relay has passed is pruned",
            suite,
            "O5_only_what_every_relay_has_passed_is_pruned",
            log(
                clock -> new CommitLog(clock),
                data ->
                    new Wrapped(new InMemoryStorage(data)) {
                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public int prune(int max) {
                            return checkpoints().list(RELAY_PREFIX).stream()
                                .map(Checkpoint::position)
                                .max(Position::compareTo)
                                .map(position -> data.log.prune(position, max))
                                .orElse(0);
                          }
                        };
                      }
                    })),
        new Mutant(
            "what this instance has not read is not pruned",
            suite,
            "O5_an_instance_that_reads_nothing_prunes_what_others_have_passed",
            log(
                clock -> new CommitLog(clock),
                data ->
                    new Wrapped(new InMemoryStorage(data)) {
                      private Position known = Position.START;

                      @Override
                      public Outbox outbox() {
                        return new Messages(super.outbox()) {
                          @Override
                          public List<OutboxMessage> read(Position after, int limit) {
                            List<OutboxMessage> page = super.read(after, limit);
                            page.forEach(m -> known = Position.max(known, m.position()));
                            return page;
                          }

                          @Override
                          public int prune(int max) {
                            return checkpoints().list(RELAY_PREFIX).stream()
                                .map(Checkpoint::position)
                                .min(Position::compareTo)
                                .filter(position -> !position.isAfter(known))
                                .map(position -> data.log.prune(position, max))
                                .orElse(0);
                          }
                        };
                      }
                    })),
        new Mutant(
            "the messages of an event are in reverse",
            suite,
            "O2_messages_are_read_in_the_order_of_their_events",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      AppendResult store(Append append, long tail, long number) {
                        return super.store(
                            mappedEvents(append, e -> with(e, e.messages().reversed())),
                            tail,
                            number);
                      }
                    })),
        new Mutant(
            "a message is taken for another whose key is written alike",
            suite,
            "O1_messages_come_back_equal",
            events(
                store ->
                    new Events(store) {
                      @Override
                      public AppendResult append(Append append) {
                        return super.append(
                            mapped(
                                append, text -> Normalizer.normalize(text, Normalizer.Form.NFC)));
                      }
                    })),
        new Mutant(
            "the outbox ignores the limit",
            suite,
            "O2_messages_are_read_in_the_order_of_their_events",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized List<OutboxMessage> readOutbox(Position after, int limit) {
                        return super.readOutbox(after, Outbox.MAX_LIMIT);
                      }
                    })),
        new Mutant(
            "one message too many is pruned",
            suite,
            "O5_only_what_every_relay_has_passed_is_pruned",
            log(
                clock ->
                    new CommitLog(clock) {
                      @Override
                      synchronized int prune(Position upTo, int max) {
                        Long next = messages.higherKey(upTo.value());
                        return super.prune(next == null ? upTo : new Position(next), max);
                      }
                    })));
  }
}
