package dev.sluice.adapter.jdbc;

import dev.sluice.core.Registration;
import dev.sluice.core.store.AppendHints;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hints that something was appended. In this process directly after the commit; to other processes
 * by NOTIFY, sent from a thread of its own and coalesced, because a NOTIFY inside the appends'
 * transactions would make their commits queue up behind one lock.
 *
 * <p>NOTIFY is sent only while another process listens, which is looked up once a second. One
 * connection is held for LISTEN, from the first registration on; another one is borrowed for
 * moments. Hints may be lost at any time.
 */
final class WakeUps {

  private static final Logger LOG = LoggerFactory.getLogger(WakeUps.class);

  private static final long SECOND = 1_000_000_000L;

  /** The least time between two NOTIFYs: what is appended meanwhile shares one. */
  private static final long MIN_INTERVAL = 2_000_000L;

  private static final int LISTEN_MILLIS = 500;

  private final Database database;
  private final boolean acrossProcesses;
  private final String me = UUID.randomUUID().toString();
  private final String channel;
  private final AppendHints hints = new AppendHints();
  private @Nullable Thread listener;
  private @Nullable Thread notifier;
  private volatile boolean closed;
  private volatile boolean appended;
  private volatile boolean notifierIsIdle;
  private volatile boolean listening;

  WakeUps(Database database, boolean acrossProcesses) {
    this.database = database;
    this.acrossProcesses = acrossProcesses;
    this.channel = "sluice_" + database.schema();
  }

  Registration register(Runnable hint) {
    Registration registration = hints.add(hint);
    startListener();
    return registration;
  }

  /** To be called after a commit. Returns at once. */
  void appended() {
    hints.callAll();
    if (acrossProcesses && !closed) {
      appended = true;
      Thread running = notifier;
      if (running == null) {
        startNotifier();
      } else if (notifierIsIdle) {
        LockSupport.unpark(running);
      }
    }
  }

  private synchronized void startListener() {
    if (acrossProcesses && !closed && listener == null) {
      listener = Thread.ofPlatform().daemon().name("sluice-listen").start(this::listen);
    }
  }

  private synchronized void startNotifier() {
    if (!closed && notifier == null) {
      notifier = Thread.ofPlatform().daemon().name("sluice-notify").start(this::sendNotifications);
    }
  }

  private void listen() {
    boolean complained = false;
    while (!closed) {
      try (Connection connection = database.open()) {
        listenOn(connection, complained);
        complained = false;
      } catch (SQLException | RuntimeException e) {
        if (closed) {
          return;
        }
        if (!complained) {
          LOG.warn(
              "No hints from other processes for now, readers poll; trying again each second: {}",
              e.getMessage());
          complained = true;
        }
        LockSupport.parkNanos(SECOND);
      }
    }
  }

  private void listenOn(Connection connection, boolean complained) throws SQLException {
    PGConnection postgres = connection.unwrap(PGConnection.class);
    try (Statement statement = connection.createStatement()) {
      statement.execute("set application_name = '" + listenerName() + "'");
      statement.execute("listen " + Sql.quoted(channel));
    }
    if (complained) {
      LOG.info("Hints from other processes come again");
    }
    listening = true;
    // What was appended before LISTEN, or while there was no connection.
    hints.callAll();
    try {
      while (!closed) {
        PGNotification[] notifications = postgres.getNotifications(LISTEN_MILLIS);
        boolean fromOthers = false;
        if (notifications != null) {
          for (PGNotification notification : notifications) {
            fromOthers |= !notification.getParameter().equals(me);
          }
        }
        if (fromOthers) {
          hints.callAll();
        }
      }
    } finally {
      listening = false;
      // The pool's other users must not get a connection that listens, or has this name.
      try (Statement statement = connection.createStatement()) {
        statement.execute("unlisten *");
        statement.execute("reset application_name");
      } catch (SQLException e) {
        LOG.debug("The connection that listened is gone", e);
      }
    }
  }

  private String listenerName() {
    return ("sluice-listen " + database.schema() + " " + me.substring(0, 8));
  }

  private void sendNotifications() {
    long lookedUp = System.nanoTime() - SECOND;
    boolean somebodyListens = false;
    while (!closed) {
      if (!appended) {
        notifierIsIdle = true;
        // Looked at again after idleness is known, so that no append goes unseen.
        if (!appended) {
          LockSupport.park(this);
        }
        notifierIsIdle = false;
        continue;
      }
      appended = false;
      try {
        long now = System.nanoTime();
        if (now - lookedUp >= SECOND) {
          somebodyListens = somebodyElseListens();
          lookedUp = now;
        }
        if (somebodyListens) {
          sendNotification();
        }
        pause(MIN_INTERVAL);
      } catch (RuntimeException e) {
        LOG.debug("A NOTIFY was not sent; the other processes poll", e);
        pause(SECOND);
      }
    }
  }

  private void pause(long nanos) {
    long end = System.nanoTime() + nanos;
    long left = nanos;
    while (!closed && left > 0) {
      LockSupport.parkNanos(this, left);
      left = end - System.nanoTime();
    }
  }

  private boolean somebodyElseListens() {
    return database.call(
        "looking for listeners",
        connection -> {
          try (PreparedStatement select =
              connection.prepareStatement(
                  "select exists (select from pg_stat_activity where application_name like ?"
                      + " and application_name <> ? and datname = current_database())")) {
            select.setString(1, "sluice-listen " + database.schema().replace("_", "\\_") + " %");
            select.setString(2, listenerName());
            try (ResultSet row = select.executeQuery()) {
              row.next();
              return row.getBoolean(1);
            }
          }
        });
  }

  private void sendNotification() {
    database.call(
        "sending a hint",
        connection -> {
          // A hint need not survive a crash, so its commit need not wait for the disk.
          try (PreparedStatement notify =
              connection.prepareStatement(
                  "select set_config('synchronous_commit', 'off', true), pg_notify(?, ?)")) {
            notify.setString(1, channel);
            notify.setString(2, me);
            return notify.execute();
          }
        });
  }

  /** Whether the LISTEN connection is up now. */
  boolean isListening() {
    return listening;
  }

  synchronized void close() {
    closed = true;
    if (notifier != null) {
      LockSupport.unpark(notifier);
    }
    join(notifier);
    join(listener);
  }

  private static void join(@Nullable Thread thread) {
    if (thread == null || thread == Thread.currentThread()) {
      return;
    }
    try {
      thread.join(2L * LISTEN_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
