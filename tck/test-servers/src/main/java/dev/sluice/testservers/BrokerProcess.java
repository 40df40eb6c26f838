package dev.sluice.testservers;

import java.nio.file.Path;
import java.util.Map;

/** The main class of a JVM that is nothing but a broker, so that it can be killed. */
final class BrokerProcess {

  private BrokerProcess() {}

  /** Arguments: directory, client port, port behind the proxy, port of the proxy. */
  public static void main(String[] args) {
    int client = Integer.parseInt(args[1]);
    try (Broker broker =
        Broker.start(
            Path.of(args[0]),
            Map.of("CLIENT", client, "PROXIED", Integer.parseInt(args[2])),
            Map.of("CLIENT", client, "PROXIED", Integer.parseInt(args[3])))) {
      broker.await();
    }
  }
}
