package dev.sluice.tck;

import dev.sluice.core.store.AppendResult;

/** An append that is open: a suite ends it, once, in one of three ways. */
public interface HeldAppend {

  /**
   * Lets the append go on, waits until it has returned, and returns or throws what it did. Where
   * another append to the same stream was faster meanwhile, that is a {@code
   * VersionConflictException}, or with <i>any</i> and <i>stream exists</i> the result under another
   * position.
   */
  AppendResult commit();

  /** Lets the append fail in an orderly way; on return the store knows. */
  void rollBack();

  /**
   * Lets the writer die as a killed process would: its connection breaks, and nothing that it could
   * have tidied up is. On return the writer is dead; the store may need a moment to notice.
   */
  void kill();
}
