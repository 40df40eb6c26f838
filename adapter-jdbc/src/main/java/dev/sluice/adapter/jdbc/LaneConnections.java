package dev.sluice.adapter.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connections of the append queue's lanes. Group after group goes over the same one, because
 * the server's process behind it has the plan and the tables' data at hand; a pool would give each
 * leader the one that its own thread had last.
 *
 * <p>What no lane uses goes back to the pool after {@value #IDLE_MILLIS} milliseconds. Each one
 * goes back after its group when a lane waits for the pool, and after a second in any case, because
 * pools suspect who keeps one.
 */
final class LaneConnections implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(LaneConnections.class);

  private static final int IDLE_MILLIS = 3;

  private static final long IDLE_NANOS = IDLE_MILLIS * 1_000_000L;

  private static final long MOST_NANOS = 1_000_000_000L;

  private static final long CONNECT_NANOS = 20_000_000L;

  private final Database database;
  private final ReentrantLock lock = new ReentrantLock();

  /** The one that was used last comes first. */
  private final Deque<Borrowed> spare = new ArrayDeque<>();

  /** Signalled when a connection gets spare while {@link #returner} sleeps, and at the end. */
  private final Condition work = lock.newCondition();

  private @Nullable Thread returner;
  private boolean sleeps;
  private int waitForPool;
  private long waitSince;
  private boolean closed;

  LaneConnections(Database database) {
    this.database = database;
  }

  /** The one that was used last, or another one from the pool. */
  Borrowed take() throws SQLException {
    lock.lock();
    try {
      @Nullable Borrowed last = spare.poll();
      if (last != null) {
        return last;
      }
      if (waitForPool++ == 0) {
        waitSince = System.nanoTime();
      }
    } finally {
      lock.unlock();
    }
    try {
      return new Borrowed(database.open());
    } finally {
      lock.lock();
      try {
        waitForPool--;
      } finally {
        lock.unlock();
      }
    }
  }

  /** Whether a lane may go on with this connection, or should give it back. */
  boolean mayKeep(Borrowed connection) {
    lock.lock();
    try {
      return !isWanted() && System.nanoTime() - connection.since < MOST_NANOS;
    } finally {
      lock.unlock();
    }
  }

  /** To connect to a server takes a while, too; who does that needs no connection of others. */
  private boolean isWanted() {
    return waitForPool > 0 && System.nanoTime() - waitSince > CONNECT_NANOS;
  }

  /** For a lane that closes, when another one will soon open. */
  void keep(Borrowed connection) {
    lock.lock();
    try {
      if (closed || isWanted()) {
        connection.close();
        return;
      }
      if (returner == null) {
        returner =
            Thread.ofPlatform()
                .daemon()
                .name("sluice-append-connections")
                .inheritInheritableThreadLocals(false)
                .start(this::returnIdle);
      }
      connection.idleSince = System.nanoTime();
      spare.push(connection);
      if (sleeps) {
        sleeps = false;
        work.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  private void returnIdle() {
    lock.lock();
    try {
      while (!closed) {
        @Nullable Borrowed oldest = spare.peekLast();
        if (oldest == null) {
          sleeps = true;
          work.awaitUninterruptibly();
          continue;
        }
        long left = oldest.idleSince + IDLE_NANOS - System.nanoTime();
        if (left > 0) {
          work.awaitNanos(left);
        } else {
          spare.removeLast().close();
        }
      }
    } catch (InterruptedException e) {
      // Nobody does this; another one is started when there is something to give back.
      returner = null;
    } finally {
      lock.unlock();
    }
  }

  /** Gives back what no lane uses, now and from now on. */
  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      while (!spare.isEmpty()) {
        spare.removeLast().close();
      }
      work.signal();
    } finally {
      lock.unlock();
    }
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

    void close() {
      try {
        connection.close();
      } catch (SQLException | RuntimeException e) {
        LOG.debug("A connection could not be given back", e);
      }
    }
  }
}
