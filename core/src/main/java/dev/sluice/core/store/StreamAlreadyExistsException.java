package dev.sluice.core.store;

import dev.sluice.core.event.StreamId;

/**
 * An append that expected no stream found one. Unlike other conflicts it is never retried: the
 * stream will not go away.
 */
public class StreamAlreadyExistsException extends VersionConflictException {

  private static final long serialVersionUID = 1L;

  /** The stream holds {@code actual} events already. */
  public StreamAlreadyExistsException(StreamId stream, long actual) {
    super(
        stream,
        ExpectedVersion.noStream(),
        actual,
        stream + " already exists, at version " + actual + "; choose another id or load it");
  }
}
