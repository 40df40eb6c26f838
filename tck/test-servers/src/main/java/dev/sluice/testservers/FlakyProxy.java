package dev.sluice.testservers;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A TCP proxy on localhost that breaks on command. Forwards everything until told otherwise.
 *
 * <p>Safe for use by any number of threads.
 */
public final class FlakyProxy implements AutoCloseable {

  private final String targetHost;
  private final int targetPort;
  private final int port;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private @Nullable ServerSocket listener;
  private Thread acceptor;
  private boolean stalled;
  private volatile boolean losesReplies;
  private final AtomicLong roundTrips = new AtomicLong();

  private FlakyProxy(String targetHost, int targetPort, int port) {
    this.targetHost = targetHost;
    this.targetPort = targetPort;
    ServerSocket first = listen(port);
    this.port = first.getLocalPort();
    this.listener = first;
    this.acceptor = accept(first);
  }

  /** A proxy on a free port of localhost; the target needn't listen yet. */
  public static FlakyProxy to(String host, int port) {
    return new FlakyProxy(host, port, 0);
  }

  public int port() {
    return port;
  }

  /** How often clients have asked; what one sends with no answer between is asked at once. */
  public long roundTrips() {
    return roundTrips.get();
  }

  /** Closes the connections that are open now, in both directions. New ones are served. */
  public void cut() {
    for (Socket socket : open) {
      closeQuietly(socket);
    }
  }

  /** Cuts, and refuses new connections until {@link #heal()}. */
  public synchronized void refuse() {
    if (listener != null) {
      closeQuietly(listener);
      listener = null;
      // The port is free only when the thread that waits for a connection has noticed.
      awaitEnd(acceptor);
    }
    cut();
  }

  /** Keeps connections open and accepts new ones, but lets no byte through until {@link #heal}. */
  public synchronized void stall() {
    stalled = true;
  }

  /**
   * Lets requests through, and cuts a connection where its answer would come back, until {@link
   * #heal}: what was asked for is done, and nobody learns of it.
   */
  public synchronized void loseReplies() {
    losesReplies = true;
  }

  /**
   * Undoes {@link #refuse()}, {@link #stall()} and {@link #loseReplies()}; bytes that waited go on.
   */
  public synchronized void heal() {
    stalled = false;
    losesReplies = false;
    notifyAll();
    if (listener == null) {
      listener = listen(port);
      acceptor = accept(listener);
    }
  }

  @Override
  public synchronized void close() {
    refuse();
    stalled = false;
    notifyAll();
  }

  private synchronized void awaitFlow() throws InterruptedException {
    while (stalled) {
      wait();
    }
  }

  private static ServerSocket listen(int port) {
    try {
      ServerSocket socket = new ServerSocket();
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      return socket;
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot listen on port " + port, e);
    }
  }

  private static void awaitEnd(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Thread accept(ServerSocket socket) {
    return Thread.ofVirtual()
        .start(
            () -> {
              while (!socket.isClosed()) {
                try {
                  Socket client = socket.accept();
                  Thread.ofVirtual().start(() -> connect(client));
                } catch (IOException e) {
                  // Closed by refuse(); or the client is gone already, and the next one may come.
                }
              }
            });
  }

  private void connect(Socket client) {
    open.add(client);
    try {
      awaitFlow();
      Socket target = new Socket(targetHost, targetPort);
      open.add(target);
      client.setTcpNoDelay(true);
      target.setTcpNoDelay(true);
      AtomicBoolean asking = new AtomicBoolean();
      Thread.ofVirtual().start(() -> pump(client, target, false, asking));
      Thread.ofVirtual().start(() -> pump(target, client, true, asking));
    } catch (IOException e) {
      closeQuietly(client);
      open.remove(client);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void pump(Socket from, Socket to, boolean replies, AtomicBoolean asking) {
    byte[] buffer = new byte[16 * 1024];
    try (from;
        to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        awaitFlow();
        if (replies && losesReplies) {
          return;
        }
        if (replies) {
          asking.set(false);
        } else if (!asking.getAndSet(true)) {
          roundTrips.incrementAndGet();
        }
        out.write(buffer, 0, n);
      }
    } catch (IOException e) {
      // One end is gone; closing both tells the other.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      open.remove(from);
      open.remove(to);
    }
  }

  private static void closeQuietly(AutoCloseable socket) {
    try {
      socket.close();
    } catch (Exception e) {
      // Gone already.
    }
  }

  @Override
  public String toString() {
    return "FlakyProxy localhost:" + port + " to " + targetHost + ":" + targetPort;
  }
}
