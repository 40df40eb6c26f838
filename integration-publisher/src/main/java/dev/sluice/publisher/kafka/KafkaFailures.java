package dev.sluice.publisher.kafka;

import dev.sluice.core.outbox.BrokerUnavailableException;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.ClusterAuthorizationException;
import org.apache.kafka.common.errors.InvalidPidMappingException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.PolicyViolationException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RecordBatchTooLargeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.errors.TransactionalIdAuthorizationException;
import org.jspecify.annotations.Nullable;

/** What Kafka's exceptions mean for a relay. */
final class KafkaFailures {
  private KafkaFailures() {}

  /** Whether a newer owner of the lane exists. */
  static boolean isFenced(@Nullable Throwable failure) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (t instanceof ProducerFencedException
          || t instanceof InvalidProducerEpochException
          || t instanceof InvalidPidMappingException) {
        return true;
      }
    }
    return false;
  }

  /** Whether this record will be refused however often it is sent. */
  static boolean isRefusal(Throwable failure) {
    return failure instanceof RecordTooLargeException
        || failure instanceof RecordBatchTooLargeException
        || failure instanceof InvalidRecordException
        || failure instanceof PolicyViolationException;
  }

  /**
   * Whether a failure tells more than another one of the same batch. Where Kafka doesn't take one
   * record it says so of that one, and of its neighbours only that they were in the same batch.
   */
  static boolean tellsMore(Throwable failure, Throwable other) {
    return rank(failure) > rank(other);
  }

  private static int rank(Throwable failure) {
    return isRefusal(failure) ? 2 : failure.getClass() == KafkaException.class ? 0 : 1;
  }

  static BrokerUnavailableException unavailable(String what, Throwable cause) {
    return new BrokerUnavailableException(what + ": " + explain(cause), cause);
  }

  /** A client that does not start hides the reason, a setting as a rule, in its cause. */
  static BrokerUnavailableException notMade(String client, KafkaException failure) {
    Throwable cause = failure.getCause() == null ? failure : failure.getCause();
    return unavailable("can't make a Kafka " + client, cause);
  }

  private static String explain(Throwable cause) {
    String message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
    for (Throwable t = cause; t != null; t = t.getCause()) {
      if (t instanceof TopicAuthorizationException denied) {
        return "not authorized"
            + (denied.unauthorizedTopics().isEmpty()
                ? ""
                : " for topics " + denied.unauthorizedTopics())
            + "; grant Write and Describe to the publisher's principal";
      }
      if (t instanceof TransactionalIdAuthorizationException) {
        return "not authorized for the transactional id; grant Write and Describe on it";
      }
      if (t instanceof InvalidTimestampException) {
        // A record's time is when it is sent, so it says nothing about the message.
        return t.getMessage()
            + "; is the clock of this process right? It must be closer to the broker's than"
            + " message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic";
      }
      if (t instanceof ClusterAuthorizationException || t instanceof AuthenticationException) {
        return t.getMessage() + "; check the publisher's credentials and rights";
      }
    }
    return message;
  }
}
