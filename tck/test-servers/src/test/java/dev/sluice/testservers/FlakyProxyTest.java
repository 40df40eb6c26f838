package dev.sluice.testservers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class FlakyProxyTest {

  private ServerSocket echo;
  private FlakyProxy proxy;

  @BeforeEach
  void start() throws IOException {
    echo = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    proxy = FlakyProxy.to("localhost", echo.getLocalPort());
    Thread.ofVirtual()
        .start(
            () -> {
              while (!echo.isClosed()) {
                try {
                  Socket socket = echo.accept();
                  Thread.ofVirtual().start(() -> echo(socket));
                } catch (IOException e) {
                  return;
                }
              }
            });
  }

  @AfterEach
  void stop() throws IOException {
    proxy.close();
    echo.close();
  }

  @Test
  void forwards_both_ways() throws IOException {
    try (Socket socket = connect()) {
      assertThat(roundTrip(socket)).isEqualTo(7);
    }
  }

  @Test
  void cut_ends_open_connections_and_serves_new_ones() throws IOException {
    try (Socket socket = connect()) {
      assertThat(roundTrip(socket)).isEqualTo(7);
      proxy.cut();
      assertThat(endOf(socket)).isTrue();
    }
    try (Socket socket = connect()) {
      assertThat(roundTrip(socket)).isEqualTo(7);
    }
  }

  @Test
  void refuse_lets_nobody_in_until_heal() throws IOException {
    proxy.refuse();
    assertThatThrownBy(this::connect).isInstanceOf(IOException.class);
    proxy.heal();
    try (Socket socket = connect()) {
      assertThat(roundTrip(socket)).isEqualTo(7);
    }
  }

  @Test
  void stall_holds_the_bytes_back_until_heal() throws IOException {
    try (Socket socket = connect()) {
      assertThat(roundTrip(socket)).isEqualTo(7);
      proxy.stall();
      socket.setSoTimeout(200);
      assertThatThrownBy(() -> roundTrip(socket)).isInstanceOf(SocketTimeoutException.class);
      proxy.heal();
      socket.setSoTimeout(10_000);
      assertThat(socket.getInputStream().read()).isEqualTo(7);
    }
  }

  private Socket connect() throws IOException {
    return new Socket(InetAddress.getLoopbackAddress(), proxy.port());
  }

  private static int roundTrip(Socket socket) throws IOException {
    socket.getOutputStream().write(7);
    return socket.getInputStream().read();
  }

  private static boolean endOf(Socket socket) {
    try {
      return socket.getInputStream().read() < 0;
    } catch (IOException e) {
      return true;
    }
  }

  private static void echo(Socket socket) {
    try (socket) {
      socket.getInputStream().transferTo(socket.getOutputStream());
    } catch (IOException e) {
      // The other side is gone.
    }
  }
}
