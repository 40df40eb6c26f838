package dev.sluice.core.outbox;

import dev.sluice.core.Position;
import java.util.List;
import java.util.Optional;

/**
 * The port to a message broker. It accepts integration messages and nothing else.
 *
 * <p>A <i>lane</i> is a part of the outbox that is published in order by one owner at a time.
 */
public interface MessagePublisher extends AutoCloseable {

  /**
   * Takes over a lane: from the return on, no earlier owner of the same lane can publish anything
   * more, and whatever an earlier owner had begun is either done or never will be.
   *
   * @param lane the lane's name, unique for the broker
   */
  Lane open(String lane);

  @Override
  void close();

  /** A lane that this process owns. For one thread at a time. */
  interface Lane extends AutoCloseable {

    /** The last position whose messages the broker durably has, if it knows any. */
    Optional<Position> reached();

    /**
     * Publishes messages in order. On return the broker durably has all of them, and the position.
     *
     * @param messages may be empty, where nothing up to the position belongs to this lane
     * @param reached the position that the lane has dealt with then
     * @throws MessageRefusedException if the broker will never take one of the messages; none of
     *     them was published
     * @throws dev.sluice.core.StoreUnavailableException if the broker can't be reached; some of the
     *     messages may have been published, {@link #reached()} of a lane that is opened anew tells
     */
    void publish(List<OutboxMessage> messages, Position reached);

    @Override
    void close();
  }
}
