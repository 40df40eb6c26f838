package dev.sluice.examples.bank.demo;

import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StreamRange;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.bank.account.Money;
import dev.sluice.examples.fraud.FraudDesk;
import dev.sluice.publisher.Relay;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;

/** What leaves the bank, what doesn't, and that nothing is lost when the publisher is down. */
final class SluiceChapters {

  private static final String NOTE = "sold grandmother's violin";

  private final Servers servers;
  private final FraudDesk fraud;
  private final Telling out;

  SluiceChapters(Servers servers, FraudDesk fraud, Telling out) {
    this.servers = servers;
    this.fraud = fraud;
    this.out = out;
  }

  void largeDeposit(Bank bank, Storage storage, String account) {
    out.title("A large deposit becomes an integration event");
    bank.open(account, "Anna", Story.TAX_NUMBER);
    bank.deposit(account, Money.chf(12_500), NOTE);
    RecordedEvent inside =
        storage
            .eventStore()
            .read(StreamId.of(Bank.CATEGORY, account), StreamRange.last(1))
            .getFirst();
    OutboxMessage outside = lastMessage(storage);
    out.line("inside   %s".formatted(inside.type()));
    out.line("         %s".formatted(inside.data().toUtf8()));
    out.line("outside  %s".formatted(outside.message().type()));
    out.line("         %s".formatted(outside.message().data().toUtf8()));
    out.line("Both are one commit: never one without the other.");
  }

  private static OutboxMessage lastMessage(Storage storage) {
    Position after = Position.START;
    for (OutboxMessage last = null; ; ) {
      List<OutboxMessage> page = storage.outbox().read(after, 1_000);
      if (page.isEmpty()) {
        if (last == null) {
          throw new DemoException("The large deposit left no message in the outbox.");
        }
        return last;
      }
      last = page.getLast();
      after = last.position();
    }
  }

  void fraudReceives(Relay relay, String account, long cents) {
    out.title("What the fraud department received from Kafka");
    showReport(relay, account, cents);
  }

  private void showReport(Relay relay, String account, long cents) {
    int earlier = 0;
    for (long end = System.nanoTime() + Telling.PATIENCE.toNanos(); System.nanoTime() < end; ) {
      for (FraudDesk.LargeDeposit deposit : fraud.receive(Duration.ofMillis(500))) {
        if (deposit.account().equals(account) && deposit.amountCents() == cents) {
          if (earlier > 0) {
            out.line("%d from earlier runs that nobody had looked into, then:".formatted(earlier));
          }
          out.line("A deposit of %s into %s.".formatted(new Money(deposit.amountCents()), account));
          return;
        }
        earlier++;
      }
    }
    String said =
        relay.status().stream()
            .flatMap(lane -> lane.error().stream())
            .collect(Collectors.joining("; "));
    throw new DemoException(
        "The large deposit did not reach Kafka within %d s. The relay %s."
            .formatted(
                Telling.PATIENCE.toSeconds(), said.isEmpty() ? "sees no reason" : "says: " + said));
  }

  void nothingPrivateLeft(Storage storage, String account) {
    out.title("Nothing private has left: every byte of the topic, searched");
    StreamId stream = StreamId.of(Bank.CATEGORY, account);
    String inside =
        storage.eventStore().read(stream, StreamRange.forwards(1, 100)).stream()
            .map(event -> event.data().toUtf8())
            .collect(Collectors.joining());
    TopicSearch topic = TopicSearch.read(servers.kafka(), Servers.TOPIC);
    out.line("%-23s  %-25s  in the store  in the topic".formatted("", ""));
    showAbsence(inside, topic, "the tax number", Story.TAX_NUMBER);
    showAbsence(inside, topic, "the clerk's note", NOTE);
    int found = topic.count(account);
    out.line(
        "%-23s  %-25s  %-12s  %s"
            .formatted("the account, to compare", account, "yes", times(found)));
    Telling.check(found > 0, "the search finds what is there");
    out.line("Searched: %d bytes in %d record(s).".formatted(topic.bytes(), topic.records()));
  }

  private void showAbsence(String inside, TopicSearch topic, String what, String secret) {
    boolean known = inside.contains(secret);
    int found = topic.count(secret);
    out.line("%-23s  %-25s  %-12s  %s".formatted(what, secret, known ? "yes" : "no", times(found)));
    Telling.check(known && found == 0, what + " must be in the store and not in the topic");
  }

  private static String times(int count) {
    return count == 0 ? "never" : count + " times";
  }

  void restart(String account) {
    out.title("The publisher goes down, then the service; both come back");
    try (Servers.Service service = servers.openStore()) {
      Bank bank = servers.bank(service);
      bank.deposit(account, Money.chf(20_000), "while nobody publishes");
      out.line("No publisher runs. Anna deposits 20000.00 CHF all the same.");
    }
    try (Servers.Service service = servers.openStore()) {
      Bank bank = servers.bank(service);
      var loaded = bank.account(account);
      Telling.check(
          loaded.version() == 6, account + " must be at version 6, not " + loaded.version());
      out.line(
          "After the restart %s is at version %d and holds %s."
              .formatted(account, loaded.version(), loaded.state().balance()));
      try (MessagePublisher publisher = servers.publisher();
          Relay relay = servers.relay(service.storage(), publisher)) {
        out.line("The publisher is back, and fraud receives what it missed:");
        relay.signal();
        showReport(relay, account, 2_000_000);
      }
    }
  }
}
