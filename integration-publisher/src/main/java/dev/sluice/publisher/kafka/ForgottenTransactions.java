package dev.sluice.publisher.kafka;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeProducersResult.PartitionProducerState;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends transactions that Kafka has forgotten. After the crash of a broker a partition may hold an
 * open transaction that its coordinator does not know, so that neither {@code initTransactions} nor
 * a time-out ends it, and readers of committed records wait for ever; Kafka's own tool for it is
 * {@code kafka-transactions abort}, see KIP-664.
 *
 * <p>Whoever has just fenced all former owners of a transactional id may abort what is open under
 * an older epoch of its producer: nobody can commit it any more, and nobody was shown any of it.
 */
final class ForgottenTransactions {

  private static final Logger LOG = LoggerFactory.getLogger(ForgottenTransactions.class);

  private final Admin admin;
  private final Collection<String> topics;
  private final Duration timeout;

  ForgottenTransactions(Admin admin, Collection<String> topics, Duration timeout) {
    this.admin = admin;
    this.topics = List.copyOf(topics);
    this.timeout = timeout;
  }

  /**
   * Aborts what the former owners of a transactional id have left open; call it only after {@code
   * initTransactions}.
   *
   * @param progress the partition where it was noticed; ended last, so that it is noticed again if
   *     this fails half-way
   * @return whether there was something, and it was ended
   */
  boolean abort(String transactionalId, TopicPartition progress) {
    try {
      TransactionDescription owner =
          get(admin.describeTransactions(List.of(transactionalId)).description(transactionalId));
      List<TopicPartition> partitions = new ArrayList<>();
      for (TopicDescription topic : get(admin.describeTopics(topics).allTopicNames()).values()) {
        topic
            .partitions()
            .forEach(each -> partitions.add(new TopicPartition(topic.name(), each.partition())));
      }
      partitions.add(progress);
      Map<TopicPartition, PartitionProducerState> producers =
          get(admin.describeProducers(partitions).all());
      int ended = 0;
      for (TopicPartition partition : partitions) {
        PartitionProducerState state = Objects.requireNonNull(producers.get(partition), "state");
        for (ProducerState open : state.activeProducers()) {
          if (open.producerId() == owner.producerId()
              && open.producerEpoch() < owner.producerEpoch()
              && open.currentTransactionStartOffset().isPresent()) {
            get(admin.abortTransaction(abortOf(partition, open)).all());
            ended++;
          }
        }
      }
      if (ended > 0) {
        LOG.warn(
            "Kafka had forgotten a transaction of {}, as after the crash of a broker; it was aborted"
                + " in {} partitions, and its messages are published again",
            transactionalId,
            ended);
      }
      return ended > 0;
    } catch (ExecutionException | TimeoutException e) {
      LOG.warn(
          "A transaction of {} may be left open, and could not be looked for or aborted (this needs"
              + " Read on its topics and Alter on the cluster): {}",
          transactionalId,
          e.toString());
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static AbortTransactionSpec abortOf(TopicPartition partition, ProducerState open) {
    return new AbortTransactionSpec(
        partition,
        open.producerId(),
        (short) open.producerEpoch(),
        open.coordinatorEpoch().orElse(0));
  }

  private <T> T get(KafkaFuture<T> future)
      throws ExecutionException, TimeoutException, InterruptedException {
    return future.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
  }
}
