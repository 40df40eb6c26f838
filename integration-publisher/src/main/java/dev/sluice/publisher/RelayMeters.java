package dev.sluice.publisher;

import java.util.List;

/** What a relay counts. A type of its own, so that Micrometer stays optional. */
interface RelayMeters {
  RelayMeters NONE =
      new RelayMeters() {
        @Override
        public void bind(int lanes) {}

        @Override
        public boolean wantsStatus() {
          return false;
        }

        @Override
        public void status(List<LaneStatus> status) {}

        @Override
        public void published(int lane, int messages) {}

        @Override
        public void failed(int lane) {}
      };

  /** The relay begins. */
  void bind(int lanes);

  /** Whether somebody looks at the status; it costs some small queries. */
  boolean wantsStatus();

  /** How the lanes are doing, every few seconds. */
  void status(List<LaneStatus> status);

  /** A batch was recorded by the broker. */
  void published(int lane, int messages);

  /** A lane can't go on at the moment, or was taken away by another owner of its name. */
  void failed(int lane);
}
