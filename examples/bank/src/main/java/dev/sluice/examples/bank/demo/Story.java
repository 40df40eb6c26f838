package dev.sluice.examples.bank.demo;

import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.OutboxMessage;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.serialization.jackson.JacksonSerializer;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StreamRange;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.bank.account.Money;
import dev.sluice.examples.bank.account.RefusedException;
import dev.sluice.examples.fraud.FraudDesk;
import dev.sluice.publisher.LaneStatus;
import dev.sluice.publisher.Relay;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;

/** What the demo shows, step by step. Each step checks what it tells, and stops if it isn't so. */
final class Story {

  private static final String TAX_NUMBER = "756.1234.5678.97";
  private static final String NOTE = "sold grandmother's violin";
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Servers servers;
  private final PrintStream out;
  private final Serializer json = JacksonSerializer.create();
  // Ids of their own, so that the story can be told again on the same servers.
  private final String run = UUID.randomUUID().toString().substring(0, 4);
  private int step;

  Story(Servers servers, PrintStream out) {
    this.servers = servers;
    this.out = out;
  }

  void tell() {
    String shared = "shared-" + run;
    String savings = "savings-" + run;
    String holiday = "holiday-" + run;

    try (FraudDesk fraud = new FraudDesk(servers.kafka(), Servers.TOPIC)) {
      try (Servers.Service service = servers.openStore();
          MessagePublisher publisher = servers.publisher();
          Relay relay = relay(service.storage(), publisher)) {
        Bank bank = new Bank(service.storage(), json);
        line("");
        line("The Sluice bank demo");
        line("  store   %s".formatted(service.storage().describe()));
        line("  broker  Kafka at %s".formatted(servers.kafka()));

        twoPeopleWithdraw(bank, shared);
        fiftyDeposits(bank, shared);
        readBack(service.storage(), shared);
        largeDeposit(bank, service.storage(), savings);
        fraudReceives(fraud, savings, 1_250_000, relay);
        nothingPrivateLeft(service.storage(), savings);
        transfers(bank, savings, holiday);
      }
      restart(fraud, savings);
    }
    out.println();
    out.println("That's all. Domain events stayed inside; the sluice decided what flowed out.");
  }

  private Relay relay(Storage storage, MessagePublisher publisher) {
    return Relay.builder(
            servers.relayName(),
            storage.outbox(),
            storage.checkpoints(),
            storage.leases(),
            publisher)
        .start();
  }

  private void twoPeopleWithdraw(Bank bank, String account) {
    title("Two people withdraw 42.00 CHF at the same moment");
    Money everything = Money.chf(42);
    bank.open(account, "Anna and Ben", TAX_NUMBER);
    bank.deposit(account, everything, "rent");
    line("Account %s belongs to Anna and Ben and holds %s.".formatted(account, everything));

    List<String> answers =
        atTheSameMoment(
            List.of(
                () -> askForMoney(bank, account, "Anna", everything),
                () -> askForMoney(bank, account, "Ben", everything)));

    answers.forEach(this::line);
    long winners = answers.stream().filter(answer -> answer.endsWith("here you are.")).count();
    check(winners == 1, "exactly one gets the money, not " + winners);
    line("The account holds %s now.".formatted(bank.account(account).state().balance()));
  }

  private static String askForMoney(Bank bank, String account, String who, Money amount) {
    try {
      bank.withdraw(account, amount, who);
      return "  %-5s asks for %s: here you are.".formatted(who, amount);
    } catch (RefusedException refused) {
      return "  %-5s asks for %s: refused. %s".formatted(who, amount, refused.reason());
    }
  }

  private void fiftyDeposits(Bank bank, String account) {
    title("Fifty deposits of 1.00 CHF into that account at the same moment");
    List<Callable<Integer>> deposits = new ArrayList<>();
    for (int i = 1; i <= 50; i++) {
      String note = "coin " + i;
      deposits.add(() -> bank.deposit(account, Money.chf(1), note).conflicts());
    }
    List<Integer> conflicts = atTheSameMoment(deposits);
    Money balance = bank.account(account).state().balance();
    check(balance.equals(Money.chf(50)), "fifty deposits make 50.00 CHF, not " + balance);
    line("%d accepted, none lost: the account holds %s.".formatted(conflicts.size(), balance));
    line(
        "%d technical conflicts on the way, each solved by deciding again; no caller saw one."
            .formatted(conflicts.stream().mapToInt(Integer::intValue).sum()));
  }

  private void readBack(Storage storage, String account) {
    StreamId stream = StreamId.of(Bank.CATEGORY, account);
    title("What the store holds: the stream " + stream);
    List<RecordedEvent> events = storage.eventStore().read(stream, StreamRange.forwards(1, 1_000));
    check(events.size() == 53, "53 events are stored, not " + events.size());
    line("version  position    event");
    for (RecordedEvent event : events) {
      if (event.version() <= 4) {
        line(
            "%7d  %-10s  %s %s"
                .formatted(event.version(), event.position(), event.type(), event.data().toUtf8()));
      }
    }
    line("    ...  ...         and so on, up to version %d.".formatted(events.getLast().version()));
  }

  private void largeDeposit(Bank bank, Storage storage, String account) {
    title("A large deposit becomes an integration event");
    bank.open(account, "Anna", TAX_NUMBER);
    bank.deposit(account, Money.chf(12_500), NOTE);
    RecordedEvent inside =
        storage
            .eventStore()
            .read(StreamId.of(Bank.CATEGORY, account), StreamRange.last(1))
            .getFirst();
    OutboxMessage outside = lastMessage(storage);
    line("inside   %s".formatted(inside.type()));
    line("         %s".formatted(inside.data().toUtf8()));
    line("outside  %s".formatted(outside.message().type()));
    line("         %s".formatted(outside.message().data().toUtf8()));
    line("Both are one commit: never one without the other.");
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

  private void fraudReceives(FraudDesk fraud, String account, long cents, Relay relay) {
    title("What the fraud department received from Kafka");
    showReport(fraud, account, cents);
    for (LaneStatus lane : relay.status()) {
      line(
          "The relay, lane %d: %s, owned by %s."
              .formatted(
                  lane.lane(),
                  lane.condition().toString().toLowerCase(Locale.ROOT),
                  lane.owner().orElse("nobody")));
    }
  }

  private void showReport(FraudDesk fraud, String account, long cents) {
    int earlier = 0;
    for (long end = System.nanoTime() + PATIENCE.toNanos(); System.nanoTime() < end; ) {
      for (FraudDesk.LargeDeposit deposit : fraud.receive(Duration.ofMillis(500))) {
        if (deposit.account().equals(account) && deposit.amountCents() == cents) {
          if (earlier > 0) {
            line("%d from earlier runs that nobody had looked into, then:".formatted(earlier));
          }
          line("A deposit of %s into %s.".formatted(new Money(deposit.amountCents()), account));
          return;
        }
        earlier++;
      }
    }
    throw new DemoException(
        "The large deposit did not reach Kafka within " + PATIENCE.toSeconds() + " s.");
  }

  private void nothingPrivateLeft(Storage storage, String account) {
    title("Nothing private has left: every byte of the topic, searched");
    StreamId stream = StreamId.of(Bank.CATEGORY, account);
    String inside =
        storage.eventStore().read(stream, StreamRange.forwards(1, 100)).stream()
            .map(event -> event.data().toUtf8())
            .collect(Collectors.joining());
    TopicSearch topic = TopicSearch.read(servers.kafka(), Servers.TOPIC);
    line("%-23s  %-25s  in the store  in the topic".formatted("", ""));
    showAbsence(inside, topic, "the tax number", TAX_NUMBER);
    showAbsence(inside, topic, "the clerk's note", NOTE);
    int found = topic.count(account);
    line(
        "%-23s  %-25s  %-12s  %s"
            .formatted("the account, to compare", account, "yes", times(found)));
    check(found > 0, "the search finds what is there");
    line("Searched: %d bytes in %d record(s).".formatted(topic.bytes(), topic.records()));
  }

  private void showAbsence(String inside, TopicSearch topic, String what, String secret) {
    boolean known = inside.contains(secret);
    int found = topic.count(secret);
    line("%-23s  %-25s  %-12s  %s".formatted(what, secret, known ? "yes" : "no", times(found)));
    check(known && found == 0, what + " must be in the store and not in the topic");
  }

  private static String times(int count) {
    return count == 0 ? "never" : count + " times";
  }

  private void transfers(Bank bank, String from, String to) {
    title("A transfer, and one that comes back");
    bank.open(to, "Anna", TAX_NUMBER);
    bank.transfer(UUID.randomUUID(), from, to, Money.chf(500));
    line("500.00 CHF from %s to %s.".formatted(from, to));
    bank.withdraw(to, Money.chf(500), "trip to Ticino");
    bank.close(to);
    line("Anna spends them, and closes %s.".formatted(to));
    try {
      bank.transfer(UUID.randomUUID(), from, to, Money.chf(100));
      throw new DemoException("A closed account took money.");
    } catch (RefusedException refused) {
      line("100.00 CHF more: refused. %s They are back.".formatted(refused.reason()));
    }
    Money balance = bank.account(from).state().balance();
    check(balance.equals(Money.chf(12_000)), from + " must hold 12000.00 CHF, not " + balance);
    line("%s holds %s.".formatted(from, balance));
  }

  private void restart(FraudDesk fraud, String account) {
    title("The publisher goes down, then the service; both come back");
    try (Servers.Service service = servers.openStore()) {
      Bank bank = new Bank(service.storage(), json);
      bank.deposit(account, Money.chf(20_000), "while nobody publishes");
      line("No publisher runs. Anna deposits 20000.00 CHF all the same.");
    }
    try (Servers.Service service = servers.openStore()) {
      Bank bank = new Bank(service.storage(), json);
      var loaded = bank.account(account);
      check(loaded.version() == 6, account + " must be at version 6, not " + loaded.version());
      line(
          "After the restart %s is at version %d and holds %s."
              .formatted(account, loaded.version(), loaded.state().balance()));
      try (MessagePublisher publisher = servers.publisher();
          Relay relay = relay(service.storage(), publisher)) {
        line("The publisher is back, and fraud receives what it missed:");
        relay.signal();
        showReport(fraud, account, 2_000_000);
      }
    }
  }

  /** Runs all at once and returns what each returned, in their order. */
  private static <T> List<T> atTheSameMoment(List<Callable<T>> actions) {
    CountDownLatch start = new CountDownLatch(1);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<T>> futures = new ArrayList<>();
      for (Callable<T> action : actions) {
        futures.add(
            threads.submit(
                () -> {
                  start.await();
                  return action.call();
                }));
      }
      start.countDown();
      List<T> results = new ArrayList<>();
      for (Future<T> future : futures) {
        results.add(future.get());
      }
      return results;
    } catch (ExecutionException e) {
      throw new DemoException("One of them failed: " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DemoException("Interrupted", e);
    }
  }

  private void title(String text) {
    line("");
    line("%d. %s".formatted(++step, text));
  }

  private void line(String text) {
    out.println(text.isEmpty() || step == 0 || text.startsWith(step + ". ") ? text : "   " + text);
  }

  private static void check(boolean holds, String promise) {
    if (!holds) {
      throw new DemoException("This must not happen: " + promise + ". Please report it.");
    }
  }
}
