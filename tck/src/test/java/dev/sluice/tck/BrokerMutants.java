package dev.sluice.tck;

import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.outbox.Progress;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** The broker in memory with one realistic fault each, and the test that must notice. */
final class BrokerMutants {

  private BrokerMutants() {}

  record Mutant(String fault, String killedBy, Supplier<PublisherFixture> fixture) {

    @Override
    public String toString() {
      return fault;
    }
  }

  static List<Mutant> all() {
    return List.of(
        new Mutant(
            "who was replaced may still move the progress",
            "K6_an_owner_that_was_replaced_moves_no_progress_either",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    if (messages.isEmpty()) {
                      progress.put(lane.name, reached);
                    } else {
                      super.publish(lane, messages, reached);
                    }
                  }
                }),
        new Mutant(
            "what is absent comes back empty",
            "K3_a_message_comes_out_as_it_went_in",
            () ->
                new InMemoryBroker() {
                  @Override
                  public synchronized List<IntegrationMessage> consume(int atLeast) {
                    return log.stream().map(BrokerMutants::filled).toList();
                  }
                }),
        new Mutant(
            "a message without data deletes",
            "K3_a_message_comes_out_as_it_went_in",
            () ->
                new InMemoryBroker() {
                  @Override
                  public synchronized List<IntegrationMessage> consume(int atLeast) {
                    return log.stream().filter(m -> !m.data().isEmpty()).toList();
                  }
                }),
        new Mutant(
            "progress is recorded before the messages are taken",
            "K5_a_message_that_is_refused_takes_nothing_of_its_batch_with_it",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    refuseStale(lane);
                    progress.put(lane.name, reached);
                    super.publish(lane, messages, reached);
                  }
                }),
        new Mutant(
            "messages before a refused one are published",
            "K5_a_message_that_is_refused_takes_nothing_of_its_batch_with_it",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    for (OutboxMessage message : messages) {
                      super.publish(lane, List.of(message), reached);
                    }
                    super.publish(lane, List.of(), reached);
                  }
                }),
        new Mutant(
            "a lane that met a refused message takes nothing more",
            "K5_a_message_that_is_refused_takes_nothing_of_its_batch_with_it",
            () ->
                new InMemoryBroker() {
                  @Override
                  void refuseLarge(OutboxMessage message) {
                    try {
                      super.refuseLarge(message);
                    } catch (RuntimeException e) {
                      owners.replaceAll((name, epoch) -> epoch + 1);
                      throw e;
                    }
                  }
                }),
        new Mutant(
            "an owner that was replaced is fenced at its progress only",
            "K6_an_owner_that_was_replaced_publishes_nothing_more",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    messages.forEach(message -> log.add(message.message()));
                    refuseStale(lane);
                    progress.put(lane.name, reached);
                  }
                }),
        new Mutant(
            "nobody is fenced",
            "K6_an_owner_that_was_replaced_publishes_nothing_more",
            () ->
                new InMemoryBroker() {
                  @Override
                  void refuseStale(OwnedLane lane) {}
                }),
        new Mutant(
            "fencing ends when the newer owner closes",
            "K6_an_owner_that_was_replaced_stays_out_when_its_successor_has_closed",
            () ->
                new InMemoryBroker() {
                  @Override
                  void closed(OwnedLane lane) {
                    owners.merge(lane.name, -1, Integer::sum);
                  }
                }),
        new Mutant(
            "messages of a batch overtake each other",
            "K2_messages_of_a_key_are_read_in_the_order_in_which_they_were_published",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    super.publish(lane, messages.reversed(), reached);
                  }
                }),
        new Mutant(
            "a batch overtakes the one before",
            "K2_messages_of_a_key_are_read_in_the_order_in_which_they_were_published",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    List<IntegrationMessage> before = new ArrayList<>(log);
                    log.clear();
                    super.publish(lane, messages, reached);
                    log.addAll(before);
                  }
                }),
        new Mutant(
            "the last message of a batch is lost",
            "K2_messages_of_a_key_are_read_in_the_order_in_which_they_were_published",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    int kept = Math.max(0, messages.size() - 1);
                    super.publish(lane, messages.subList(0, kept), reached);
                  }
                }),
        new Mutant(
            "a batch is sent twice",
            "K2_messages_of_a_key_are_read_in_the_order_in_which_they_were_published",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    super.publish(lane, messages, reached);
                    super.publish(lane, messages, reached);
                  }
                }),
        new Mutant(
            "the state beside the position is forgotten",
            "K3_the_progress_is_there_when_a_lane_is_opened_anew",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    super.publish(lane, messages, new Progress(reached.position(), ""));
                  }
                }),
        new Mutant(
            "progress without messages is not recorded",
            "K3_the_progress_is_there_when_a_lane_is_opened_anew",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    if (!messages.isEmpty()) {
                      super.publish(lane, messages, reached);
                    }
                  }
                }),
        new Mutant(
            "the lanes of a relay share one progress",
            "K3_lanes_and_relays_have_a_progress_of_their_own",
            () ->
                new InMemoryBroker() {
                  @Override
                  void publish(OwnedLane lane, List<OutboxMessage> messages, Progress reached) {
                    super.publish(lane, messages, reached);
                    progress.replaceAll((name, earlier) -> reached);
                  }
                }),
        new Mutant(
            "opening a lane fences the other lanes of its relay",
            "K3_lanes_and_relays_have_a_progress_of_their_own",
            () ->
                new InMemoryBroker() {
                  @Override
                  String name(String relay, int lane) {
                    return relay;
                  }
                }),
        new Mutant(
            "times are cut to milliseconds",
            "K3_a_message_comes_out_as_it_went_in",
            () ->
                new InMemoryBroker() {
                  @Override
                  public synchronized List<IntegrationMessage> consume(int atLeast) {
                    return log.stream().map(BrokerMutants::cut).toList();
                  }
                }),
        new Mutant(
            "what describes the conversation is lost",
            "K3_a_message_comes_out_as_it_went_in",
            () ->
                new InMemoryBroker() {
                  @Override
                  public synchronized List<IntegrationMessage> consume(int atLeast) {
                    return log.stream().map(BrokerMutants::bare).toList();
                  }
                }));
  }

  private static IntegrationMessage cut(IntegrationMessage m) {
    return new IntegrationMessage(
        m.id(),
        m.type(),
        m.key(),
        m.subject(),
        m.time().truncatedTo(ChronoUnit.MILLIS),
        m.data(),
        m.correlationId(),
        m.causationId());
  }

  private static IntegrationMessage filled(IntegrationMessage m) {
    return new IntegrationMessage(
        m.id(),
        m.type(),
        m.key(),
        m.subject(),
        m.time(),
        m.data(),
        Optional.of(m.correlationId().orElse("")),
        Optional.of(m.causationId().orElse("")));
  }

  private static IntegrationMessage bare(IntegrationMessage m) {
    return new IntegrationMessage(
        m.id(),
        m.type(),
        m.key(),
        m.subject(),
        m.time(),
        m.data(),
        Optional.empty(),
        Optional.empty());
  }
}
