package dev.sluice.adapter.mongo;

import com.mongodb.client.ClientSession;
import com.mongodb.session.ServerSession;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.BooleanSupplier;

/**
 * Numbers that were drawn for callers' transactions. The driver tells nobody that a transaction has
 * ended, but a session can be asked: so the number of one that was aborted need not wait for the
 * grace. A late or an early answer does no harm, since a filler can be tried at any time.
 */
final class Joined {

  private static final int MAX_REMEMBERED = 1_000;

  private final ConcurrentMap<Long, BooleanSupplier> runs = new ConcurrentHashMap<>();

  void drew(long number, ClientSession session) {
    // A session that is closed has none to ask any more.
    ServerSession server = session.getServerSession();
    long transaction = server.getTransactionNumber();
    drew(
        number,
        () -> session.hasActiveTransaction() && server.getTransactionNumber() == transaction);
  }

  /** For a transaction that runs as long as this says so. */
  void drew(long number, BooleanSupplier isRunning) {
    if (runs.size() >= MAX_REMEMBERED) {
      // In a process that never reads the log nobody else forgets them.
      runs.keySet().removeIf(this::hasEnded);
    }
    runs.put(number, isRunning);
  }

  /** Whether the number belongs to a transaction of this process that has ended. */
  boolean hasEnded(long number) {
    BooleanSupplier isRunning = runs.get(number);
    return isRunning != null && !isRunning.getAsBoolean();
  }

  /** All numbers of transactions that have ended. */
  List<Long> ended() {
    return runs.keySet().stream().filter(this::hasEnded).sorted().toList();
  }

  /** Nothing can change any more up to there. */
  void forgetUpTo(long settled) {
    if (!runs.isEmpty()) {
      runs.keySet().removeIf(number -> number <= settled);
    }
  }
}
