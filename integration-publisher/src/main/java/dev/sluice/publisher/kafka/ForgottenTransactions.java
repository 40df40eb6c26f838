package dev.sluice.publisher.kafka;

import dev.sluice.core.outbox.BrokerUnavailableException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends transactions that Kafka has forgotten. After the crash of a broker a partition may hold an
 * open transaction that its coordinator does not know, so that neither {@code initTransactions} nor
 * a time-out ends it. Readers of committed records wait for it, and the next transaction of the
 * same id in that partition would commit its records too, which are published again besides. See
 * KIP-664; Kafka's own tool is {@code kafka-transactions abort}.
 */
final class ForgottenTransactions {

  private static final Logger LOG = LoggerFactory.getLogger(ForgottenTransactions.class);

  private final Admin admin;
  private final Collection<String> topics;
  private final Duration timeout;
  private final AtomicBoolean warned = new AtomicBoolean();

  private record Open(TopicPartition partition, ProducerState state) {}

  ForgottenTransactions(Admin admin, Collection<String> topics, Duration timeout) {
    this.admin = admin;
    this.topics = List.copyOf(topics);
    this.timeout = timeout;
  }

  /**
   * Aborts what former owners of a transactional id have left open; call it after {@code
   * initTransactions}, before anything is sent. Where the right to look is missing, says so once
   * and goes on: a crash of a broker is needed before there is anything to find.
   *
   * @throws BrokerUnavailableException if something is open and could not be ended
   */
  void abort(String transactionalId, TopicPartition progress) {
    List<Open> forgotten;
    try {
      forgotten = find(transactionalId, progress);
    } catch (AuthorizationException | UnsupportedVersionException e) {
      if (!warned.getAndSet(true)) {
        LOG.warn(
            "Can't look for transactions that Kafka has forgotten, as after the crash of a broker"
                + " (this needs Read on the topics): {}",
            e.getMessage());
      }
      return;
    } catch (ApiException e) {
      throw KafkaFailures.unavailable("can't look for open transactions of " + transactionalId, e);
    }
    for (Open open : forgotten) {
      try {
        get(admin.abortTransaction(abortOf(open)).all());
      } catch (ApiException e) {
        throw new BrokerUnavailableException(
            "Kafka has forgotten a transaction of "
                + transactionalId
                + " that is open in "
                + open.partition()
                + ", and it can't be aborted ("
                + e.getMessage()
                + "): grant Alter on the cluster, or use kafka-transactions abort",
            e);
      }
    }
    if (!forgotten.isEmpty()) {
      LOG.warn(
          "Kafka had forgotten a transaction of {}, as after the crash of a broker; it was aborted"
              + " in {} partitions, and its messages are published again",
          transactionalId,
          forgotten.size());
    }
  }

  private List<Open> find(String transactionalId, TopicPartition progress) {
    TransactionDescription owner =
        get(admin.describeTransactions(List.of(transactionalId)).description(transactionalId));
    // EMPTY is what initTransactions leaves: whatever was begun before is over, as far as the
    // coordinator knows, so what is open under an older epoch was forgotten. In any other state
    // there is a newer owner. While its commit is under way the coordinator tells an epoch greater
    // than the one in the partitions, and it would be aborted there.
    if (owner.state() != TransactionState.EMPTY) {
      return List.of();
    }
    List<TopicPartition> partitions = new ArrayList<>();
    for (TopicDescription topic : get(admin.describeTopics(topics).allTopicNames()).values()) {
      topic
          .partitions()
          .forEach(each -> partitions.add(new TopicPartition(topic.name(), each.partition())));
    }
    partitions.add(progress);
    List<Open> forgotten = new ArrayList<>();
    get(admin.describeProducers(partitions).all())
        .forEach(
            (partition, producers) ->
                producers.activeProducers().stream()
                    .filter(producer -> producer.producerId() == owner.producerId())
                    .filter(producer -> producer.producerEpoch() < owner.producerEpoch())
                    .filter(producer -> producer.currentTransactionStartOffset().isPresent())
                    .forEach(producer -> forgotten.add(new Open(partition, producer))));
    return forgotten;
  }

  private static AbortTransactionSpec abortOf(Open open) {
    return new AbortTransactionSpec(
        open.partition(),
        open.state().producerId(),
        (short) open.state().producerEpoch(),
        open.state().coordinatorEpoch().orElse(0));
  }

  private <T> T get(KafkaFuture<T> future) {
    try {
      return future.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof ApiException failure ? failure : new ApiException(e.getCause());
    } catch (TimeoutException e) {
      throw new org.apache.kafka.common.errors.TimeoutException("no answer within " + timeout, e);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }
}
