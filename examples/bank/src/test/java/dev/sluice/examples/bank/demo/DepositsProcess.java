package dev.sluice.examples.bank.demo;

import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.bank.account.Money;
import dev.sluice.examples.fraud.FraudDesk;
import dev.sluice.publisher.Relay;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;

/**
 * The demo's bank, publisher and fraud desk in a JVM of their own: large deposits without end, to
 * be killed. Where they are comes from the demo's system properties.
 */
final class DepositsProcess {

  static final String READY = "fraud has received something";

  private DepositsProcess() {}

  public static void main(String[] args) {
    try (Servers servers = Servers.start(DemoSettings.of(System.getProperties()));
        Servers.Service service = servers.openStore();
        MessagePublisher publisher = servers.publisher();
        Relay relay = servers.relay(service.storage(), publisher);
        FraudDesk fraud = new FraudDesk(servers.kafka(), Servers.TOPIC, Servers.fraudDatabase())) {
      Bank bank = servers.bank(service);
      List<Callable<Void>> work = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        String account = "large-" + UUID.randomUUID();
        work.add(
            () -> {
              bank.open(account, "Anna", Story.TAX_NUMBER);
              while (true) {
                bank.deposit(account, Money.chf(10_000), "again");
              }
            });
      }
      work.add(
          () -> {
            while (fraud.receive(Duration.ofMillis(100)).isEmpty()) {
              relay.signal();
            }
            System.out.println(READY);
            while (true) {
              fraud.receive(Duration.ofMillis(100));
            }
          });
      Telling.atTheSameMoment(work);
    }
  }
}
