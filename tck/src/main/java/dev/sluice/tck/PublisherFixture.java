package dev.sluice.tck;

import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.outbox.MessagePublisher;
import java.util.List;
import java.util.Optional;

/**
 * What the suite for brokers needs: a broker, or a part of one, that holds nothing at first. Each
 * test makes one and closes it; keep a server that takes long to start elsewhere.
 */
public interface PublisherFixture extends AutoCloseable {

  /** The type of all messages of the suite, for publishers that must know it. */
  String TYPE = "money-arrived";

  /** The name of the adapter, for the report. */
  String adapter();

  /** The broker and its version, for the report; empty where that is not known. */
  default String broker() {
    return "";
  }

  /**
   * Opens a publisher to the broker, independent of those that are open already, as another process
   * would do.
   */
  MessagePublisher open();

  /**
   * All messages that a consumer can read, which is to say none of a batch that was given up; those
   * of one key in the order in which they are read.
   *
   * @param atLeast wait, with a bound, until this many can be read
   */
  List<IntegrationMessage> consume(int atLeast);

  /**
   * A message that this broker refuses for good, such as one over its size limit. If there is none,
   * K5 is not tested, and the report doesn't name it.
   */
  Optional<IntegrationMessage> refusedMessage();

  /** Removes the data, and ends what is still open. */
  @Override
  void close();
}
