package dev.sluice.core.subscription;

import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Calls all, and lets none of them do harm. */
record Listeners(List<SubscriptionListener> all) implements SubscriptionListener {

  private static final Logger LOG = LoggerFactory.getLogger(Listeners.class);

  Listeners {
    all = List.copyOf(all);
  }

  private void tell(Consumer<SubscriptionListener> what) {
    for (SubscriptionListener each : all) {
      try {
        what.accept(each);
      } catch (RuntimeException e) {
        LOG.warn("A listener of subscriptions has failed; the others go on", e);
      }
    }
  }

  @Override
  public void handled(String subscription, int partition, int events, Duration time) {
    tell(each -> each.handled(subscription, partition, events, time));
  }

  @Override
  public void retrying(String subscription, int partition, int attempts, String error) {
    tell(each -> each.retrying(subscription, partition, attempts, error));
  }

  @Override
  public void parked(String subscription, int partition, String error) {
    tell(each -> each.parked(subscription, partition, error));
  }

  @Override
  public void stopped(String subscription, int partition, String error) {
    tell(each -> each.stopped(subscription, partition, error));
  }
}
