package dev.sluice.testservers;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.testcontainers.DockerClientFactory;

/** Which server a test gets: an explicit one, else a container, else an embedded one. */
final class Resolution {

  private Resolution() {}

  static <T> T of(
      String property, Function<String, T> explicit, Supplier<T> container, Supplier<T> embedded) {
    T server = resolve(property, explicit, container, embedded);
    System.out.println("[test-servers] " + server);
    return server;
  }

  private static <T> T resolve(
      String property, Function<String, T> explicit, Supplier<T> container, Supplier<T> embedded) {
    String address = System.getProperty(property, "");
    if (!address.isBlank()) {
      return explicit.apply(address.strip());
    }
    if (dockerAnswers()) {
      try {
        return container.get();
      } catch (RuntimeException e) {
        System.out.println(
            "[test-servers] Docker answers, but the container did not start: " + e.getMessage());
      }
    }
    return embedded.get();
  }

  /** Looks for a socket first: Testcontainers itself is slow and loud where there is no Docker. */
  private static boolean dockerAnswers() {
    String host = System.getenv("DOCKER_HOST");
    boolean worthAsking =
        (host != null && !host.isBlank())
            || System.getProperty("os.name", "").startsWith("Windows")
            || Stream.of(
                    "/var/run/docker.sock",
                    System.getProperty("user.home") + "/.docker/run/docker.sock",
                    Objects.requireNonNullElse(System.getenv("XDG_RUNTIME_DIR"), "/run")
                        + "/docker.sock")
                .map(Path::of)
                .anyMatch(Resolution::accepts);
    return worthAsking && DockerClientFactory.instance().isDockerAvailable();
  }

  private static boolean accepts(Path socket) {
    if (!Files.exists(socket)) {
      return false;
    }
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      return channel.connect(UnixDomainSocketAddress.of(socket));
    } catch (IOException e) {
      return false;
    }
  }
}
