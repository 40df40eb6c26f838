package dev.sluice.adapter.mongo;

import com.mongodb.ReadPreference;
import com.mongodb.TransactionOptions;
import com.mongodb.WriteConcern;
import com.mongodb.client.ClientSession;
import dev.sluice.core.StoreRefusedException;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a caller's transaction must be like, since its own options decide and not the storage's. The
 * driver merges them from those of the transaction, of the session and of the client, so that what
 * it tells is what holds.
 */
final class TransactionTerms {

  private static final Logger LOG = LoggerFactory.getLogger(TransactionTerms.class);

  private final String where;
  private final Topology topology;
  private final AtomicReference<@Nullable String> finding = new AtomicReference<>();

  TransactionTerms(String where, Topology topology) {
    this.where = where;
    this.topology = topology;
  }

  /**
   * Looks at the session's transaction, if it has begun one.
   *
   * @throws StoreRefusedException if it does not read from the primary
   */
  void check(ClientSession session) {
    if (!session.hasActiveTransaction()) {
      return;
    }
    TransactionOptions options = session.getTransactionOptions();
    ReadPreference preference = options.getReadPreference();
    if (preference != null && !preference.equals(ReadPreference.primary())) {
      throw new StoreRefusedException(
          "the transaction on "
              + where
              + " has the read preference "
              + preference.getName()
              + ", by its own options or the client's, and the driver lets a transaction read from"
              + " the primary only; begin it with TransactionOptions that say"
              + " readPreference(ReadPreference.primary())");
    }
    WriteConcern write = options.getWriteConcern();
    if (write != null && !isMajority(write) && finding.compareAndSet(null, weaker(write))) {
      LOG.warn("{}: {}", where, weaker(write));
    }
  }

  private boolean isMajority(WriteConcern write) {
    return write.getWObject() == null
        ? topology.majorityByDefault()
        : write.getWObject().equals("majority") && !Boolean.FALSE.equals(write.getJournal());
  }

  private static String weaker(WriteConcern write) {
    return "a transaction that was joined has the write concern "
        + write.asDocument()
        + ", by its own options or the client's: a new primary can lack what it has appended (S1),"
        + " and use its positions again (G2); begin it with TransactionOptions that say"
        + " writeConcern(WriteConcern.MAJORITY)";
  }

  /** What this process has met. */
  Optional<String> finding() {
    return Optional.ofNullable(finding.get());
  }
}
