package dev.sluice.core.store;

/** What an append expects of its stream. If the stream is otherwise, nothing is stored. */
public sealed interface ExpectedVersion {

  /** The stream holds exactly this many events; 0 is a stream that holds nothing. */
  static ExpectedVersion exactly(long version) {
    return new Exactly(version);
  }

  /** The stream holds nothing yet; otherwise a {@link StreamAlreadyExistsException}. */
  static ExpectedVersion noStream() {
    return new NoStream();
  }

  /** The stream holds at least one event. */
  static ExpectedVersion streamExists() {
    return new StreamExists();
  }

  /** Nothing is expected: the events are added behind whatever is there, without any conflict. */
  static ExpectedVersion any() {
    return new Any();
  }

  /** Whether a stream with this many events is as expected. */
  boolean isMetBy(long version);

  /**
   * Exactly this version.
   *
   * @param version how many events the stream holds, 0 or more
   */
  record Exactly(long version) implements ExpectedVersion {

    /** Refuses negative versions. */
    public Exactly {
      if (version < 0) {
        throw new IllegalArgumentException("a version is 0 or greater, not " + version);
      }
    }

    @Override
    public boolean isMetBy(long actual) {
      return actual == version;
    }

    @Override
    public String toString() {
      return "version " + version;
    }
  }

  /** No event yet. */
  record NoStream() implements ExpectedVersion {

    @Override
    public boolean isMetBy(long actual) {
      return actual == 0;
    }

    @Override
    public String toString() {
      return "no stream";
    }
  }

  /** At least one event. */
  record StreamExists() implements ExpectedVersion {

    @Override
    public boolean isMetBy(long actual) {
      return actual > 0;
    }

    @Override
    public String toString() {
      return "an existing stream";
    }
  }

  /** Anything. */
  record Any() implements ExpectedVersion {

    @Override
    public boolean isMetBy(long actual) {
      return true;
    }

    @Override
    public String toString() {
      return "any version";
    }
  }
}
