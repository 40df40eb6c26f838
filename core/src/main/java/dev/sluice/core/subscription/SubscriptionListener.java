package dev.sluice.core.subscription;

import java.time.Duration;

/** Is told what subscriptions of this process do. Called on their threads: return at once. */
public interface SubscriptionListener {

  /** Events were dealt with, in one go, and the checkpoint was saved. */
  void handled(String subscription, int partition, int events, Duration time);

  /** An event failed and will be tried again. */
  void retrying(String subscription, int partition, int attempts, String error);

  /** A stream was parked. */
  void parked(String subscription, int partition, String error);

  /** A partition stopped because of a failure. */
  void stopped(String subscription, int partition, String error);
}
