package dev.sluice.publisher;

/** What a relay counts. A class of its own, so that Micrometer stays optional. */
interface RelayMeters {
  RelayMeters NONE = (lane, messages) -> {};

  /** A batch was recorded by the broker. */
  void published(int lane, int messages);
}
