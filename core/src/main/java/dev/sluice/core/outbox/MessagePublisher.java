package dev.sluice.core.outbox;

import java.util.List;
import java.util.Optional;

/**
 * The port to a message broker. It accepts integration messages and nothing else.
 *
 * <p>A <i>lane</i> is a part of the outbox that is published in order by one owner at a time.
 *
 * <p><b>Threads.</b> Safe for use by any number of threads and processes. Every call blocks.
 */
public interface MessagePublisher extends AutoCloseable {

  /**
   * Takes over a lane: from the return on, no earlier owner of the same lane can publish anything
   * more, and whatever an earlier owner had begun is either done or never will be. An earlier owner
   * in another process that doesn't know yet learns it from a {@link LaneFencedException}.
   *
   * @param relay the relay's name, unique for the broker; 1 to 100 of {@code a-z A-Z 0-9 . _ -}
   * @param lane the lane's number within the relay, from 0
   * @throws BrokerUnavailableException if the broker can't be reached, or is not set up as it must
   *     be
   */
  Lane open(String relay, int lane);

  @Override
  void close();

  /** A lane that this process owns. For one thread at a time. */
  interface Lane extends AutoCloseable {

    /** The progress that the broker durably had when the lane was opened; empty if none. */
    Optional<Progress> progress();

    /**
     * Publishes messages in order. On return the broker durably has all of them, and the progress.
     *
     * <p>After a {@link MessageRefusedException} the lane goes on working. After any other
     * exception it must be closed; the progress of the lane when it is opened anew tells whether
     * the messages were published.
     *
     * @param messages may be empty, where only the progress changes
     * @param reached replaces the progress
     * @throws MessageRefusedException if the broker will not take one of the messages; neither the
     *     messages nor the progress were published
     * @throws TypeNotPublishedException if this publisher doesn't know where a message goes, and
     *     that of another process may; neither the messages nor the progress were published
     * @throws LaneFencedException if the lane has a newer owner; nothing was published, unless the
     *     broker had accepted all of it before and the answer was lost
     * @throws BrokerUnavailableException if the broker can't be reached; the outcome is unknown
     */
    void publish(List<OutboxMessage> messages, Progress reached);

    @Override
    void close();
  }
}
