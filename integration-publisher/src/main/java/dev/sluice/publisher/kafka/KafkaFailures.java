package dev.sluice.publisher.kafka;

import dev.sluice.core.outbox.BrokerUnavailableException;
import org.apache.kafka.common.InvalidRecordException;
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
        || failure instanceof InvalidTimestampException
        || failure instanceof PolicyViolationException;
  }

  static BrokerUnavailableException unavailable(String what, Throwable cause) {
    return new BrokerUnavailableException(what + ": " + explain(cause), cause);
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
      if (t instanceof ClusterAuthorizationException || t instanceof AuthenticationException) {
        return t.getMessage() + "; check the publisher's credentials and rights";
      }
    }
    return message;
  }
}
