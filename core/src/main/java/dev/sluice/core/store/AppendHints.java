package dev.sluice.core.store;

import dev.sluice.core.Registration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hints that readers have registered, for adapters: what {@link GlobalLog#onAppend} and {@code
 * Outbox.onAppend} keep. Safe for use by any number of threads.
 */
public final class AppendHints {

  private static final Logger LOG = LoggerFactory.getLogger(AppendHints.class);

  /** Each under a key of its own, because one hint may be registered twice and closed once. */
  private final Map<Object, Runnable> hints = new ConcurrentHashMap<>();

  /** Keeps a hint until its registration is closed; closing waits for a call that is under way. */
  public Registration add(Runnable hint) {
    Object key = new Object();
    hints.put(
        key,
        () -> {
          synchronized (key) {
            if (hints.containsKey(key)) {
              hint.run();
            }
          }
        });
    return () -> {
      synchronized (key) {
        hints.remove(key);
      }
    };
  }

  /** Whether there is nobody to call. */
  public boolean isEmpty() {
    return hints.isEmpty();
  }

  /**
   * Calls all hints. The append is stored by now, so one that throws is logged: it must neither
   * make the append look failed nor keep others from being called.
   */
  public void callAll() {
    for (Runnable hint : hints.values()) {
      try {
        hint.run();
      } catch (RuntimeException e) {
        LOG.warn("A hint after an append failed; reading from time to time makes up for it", e);
      }
    }
  }
}
