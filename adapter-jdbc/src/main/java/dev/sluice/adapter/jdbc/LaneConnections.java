package dev.sluice.adapter.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connections of the append queue's lanes. Group after group goes over the same one, because
 * the server's process behind it has the plan and the tables' data at hand; a pool would give each
 * leader the one that its own thread had last.
 *
 * <p>A connection that no lane uses goes back to the pool after {@value #IDLE_MILLIS} to twice as
 * many milliseconds, and each one after a second, because pools suspect who keeps one.
 */
final class LaneConnections implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(LaneConnections.class);

  private static final int IDLE_MILLIS = 10;

  private static final long IDLE_NANOS = IDLE_MILLIS * 1_000_000L;

  private static final long MOST_NANOS = 1_000_000_000L;

  private final Database database;
  private final ReentrantLock lock = new ReentrantLock();
  private final Deque<Borrowed> spare = new ArrayDeque<>();
  private boolean returning;

  LaneConnections(Database database) {
    this.database = database;
  }

  /** The one that was used last, or another one from the pool. */
  Borrowed take() throws SQLException {
    database.checkOpen();
    @Nullable Borrowed last;
    lock.lock();
    try {
      last = spare.poll();
    } finally {
      lock.unlock();
    }
    return last != null ? last : new Borrowed(database.open());
  }

  /** For a lane that closes, when another one will soon open. */
  void keep(Borrowed connection) {
    lock.lock();
    try {
      connection.idleSince = System.nanoTime();
      spare.push(connection);
      if (!returning) {
        returning = true;
        Thread.ofVirtual().name("sluice-append-connections").start(this::returnIdle);
      }
    } finally {
      lock.unlock();
    }
  }

  private void returnIdle() {
    boolean goesOn = true;
    while (goesOn) {
      LockSupport.parkNanos(IDLE_NANOS);
      List<Borrowed> idle = new ArrayList<>();
      lock.lock();
      try {
        long now = System.nanoTime();
        while (!spare.isEmpty() && now - spare.getLast().idleSince >= IDLE_NANOS) {
          idle.add(spare.removeLast());
        }
        goesOn = !spare.isEmpty();
        returning = goesOn;
      } finally {
        lock.unlock();
      }
      idle.forEach(Borrowed::close);
    }
  }

  /** Gives back at once what no lane uses. */
  @Override
  public void close() {
    List<Borrowed> all;
    lock.lock();
    try {
      all = List.copyOf(spare);
      spare.clear();
    } finally {
      lock.unlock();
    }
    all.forEach(Borrowed::close);
  }

  /** A connection of a lane. */
  static final class Borrowed {

    private final Connection connection;
    private final long since = System.nanoTime();
    private long idleSince;

    private Borrowed(Connection connection) {
      this.connection = connection;
    }

    Connection connection() {
      return connection;
    }

    /** Whether it has been kept for so long that it should go back. */
    boolean isDue() {
      return System.nanoTime() - since >= MOST_NANOS;
    }

    void close() {
      try {
        connection.close();
      } catch (SQLException e) {
        LOG.debug("A connection could not be given back", e);
      }
    }
  }
}
