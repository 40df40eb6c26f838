package dev.sluice.examples.bank.demo;

import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.fraud.FraudDesk;
import dev.sluice.publisher.Relay;
import java.io.PrintStream;
import java.time.Duration;
import java.util.UUID;

/** What the demo shows. Each chapter checks what it tells, and stops if it isn't so. */
final class Story {

  static final String TAX_NUMBER = "756.1234.5678.97";

  // Short, so that the work of a run that was killed is soon taken over by the next one.
  static final Duration LEASE = Duration.ofSeconds(3);

  private final Servers servers;
  private final Telling out;
  // Ids of their own, so that the story can be told again on the same servers.
  private final String run = UUID.randomUUID().toString().substring(0, 4);

  Story(Servers servers, PrintStream out) {
    this.servers = servers;
    this.out = new Telling(out);
  }

  void tell() {
    String shared = "shared-" + run;
    String savings = "savings-" + run;
    String holiday = "holiday-" + run;

    try (FraudDesk fraud = new FraudDesk(servers.kafka(), Servers.TOPIC, Servers.fraudDatabase())) {
      SluiceChapters sluice = new SluiceChapters(servers, fraud, out);
      try (Servers.Service service = servers.openStore();
          MessagePublisher publisher = servers.publisher();
          Relay relay = servers.relay(service.storage(), publisher);
          Subscriptions subscriptions =
              Subscriptions.builder(service.storage()).leaseDuration(LEASE).build()) {
        Bank bank = servers.bank(service);
        out.line("");
        out.line("The Sluice bank demo");
        out.line("  store   %s".formatted(service.storage().describe()));
        out.line("  broker  Kafka at %s".formatted(servers.kafka()));

        CounterChapters counter = new CounterChapters(out);
        counter.twoPeopleWithdraw(bank, shared);
        counter.fiftyDeposits(bank, shared);
        counter.readBack(service.storage(), shared);

        sluice.largeDeposit(bank, service.storage(), savings);
        sluice.fraudReceives(relay, savings, 1_250_000);
        sluice.nothingPrivateLeft(service.storage(), savings);

        ReadingChapters reading = new ReadingChapters(servers, service, bank, subscriptions, out);
        reading.view(holiday);
        reading.transfers(savings, holiday);
        reading.rebuild("daily-" + run + "-");
        reading.status(relay);
      }
      sluice.restart(savings);
    }
    out.end("That's all. Domain events stayed inside; the sluice decided what flowed out.");
  }
}
