package dev.sluice.examples.bank.demo;

import dev.sluice.core.Position;
import dev.sluice.core.Registration;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.projection.ProjectionVersions;
import dev.sluice.core.projection.Rebuild;
import dev.sluice.core.store.StreamRange;
import dev.sluice.core.subscription.Subscriptions;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.bank.account.Money;
import dev.sluice.examples.bank.balances.Balances;
import dev.sluice.examples.bank.balances.Balances.Balance;
import dev.sluice.examples.bank.transfer.Transfer;
import dev.sluice.examples.bank.transfer.Transfer.Stage;
import dev.sluice.publisher.Relay;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;

/** What is made of the events inside of the bank: a view, and transfers. */
final class ReadingChapters {

  private static final int ACCOUNTS = 20;
  private static final int DEPOSITS = 50;

  private final Servers servers;
  private final Servers.Service service;
  private final Bank bank;
  private final Subscriptions subscriptions;
  private final ProjectionVersions versions;
  private final Telling out;

  private final int version;
  private final Balances balances;
  private final Registration fills;

  ReadingChapters(
      Servers servers,
      Servers.Service service,
      Bank bank,
      Subscriptions subscriptions,
      Telling out) {
    this.servers = servers;
    this.service = service;
    this.bank = bank;
    this.subscriptions = subscriptions;
    this.out = out;
    versions = new ProjectionVersions(service.storage());
    // An earlier run on the same database may have come to a later version.
    version =
        versions
            .active(Servers.BALANCES)
            .map(name -> Integer.parseInt(name.substring(name.indexOf("-v") + 2)))
            .orElse(1);
    balances = servers.balances(service, bank, version);
    versions.switchTo(Servers.BALANCES, balances.name());
    fills = subscriptions.start(balances.subscription());
    subscriptions.start(bank.transfers());
  }

  void view(String account) {
    out.title("A view of all balances, and reading one's own writes");
    out.line("%s is %s.".formatted(balances.name(), balances.describe()));
    bank.open(account, "Anna", Story.TAX_NUMBER);
    Position written = bank.deposit(account, Money.chf(8), "from the jar").position();
    out.line("Anna deposits 8.00 CHF into %s, at position %s,".formatted(account, written));
    awaitView(balances.name(), written);
    Balance row = balances.find(account).orElseThrow();
    Telling.check(
        row.equals(new Balance("Anna", Money.chf(8), 1)), "the view shows it, not " + row);
    out.line(
        "waits until the view has come so far, and reads: %s, %s, %d movement."
            .formatted(row.holder(), row.money(), row.movements()));
  }

  void transfers(String from, String to) {
    out.title("Two transfers, by a process that remembers where it is");
    UUID first = UUID.randomUUID();
    bank.transfer(first, from, to, Money.chf(500));
    out.line("500.00 CHF leave %s for %s.".formatted(from, to));
    tell(first, Stage.COMPLETED);

    bank.withdraw(to, Money.chf(508), "trip to Ticino");
    bank.close(to);
    out.line("Anna spends what is in %s, and closes it.".formatted(to));
    UUID second = UUID.randomUUID();
    bank.transfer(second, from, to, Money.chf(100));
    out.line("100.00 CHF leave %s for %s.".formatted(from, to));
    tell(second, Stage.COMPENSATED);

    Money balance = bank.account(from).state().balance();
    Telling.check(balance.equals(Money.chf(12_000)), from + " must hold 12000.00, not " + balance);
    out.line("%s holds %s.".formatted(from, balance));
  }

  private void tell(UUID id, Stage expected) {
    Telling.await("The end of the transfer", () -> bank.transfer(id).isOver());
    Transfer transfer = bank.transfer(id);
    Telling.check(transfer.stage() == expected, "a transfer that is " + transfer);
    String events =
        service
            .storage()
            .eventStore()
            .read(StreamId.of("transfer", id.toString()), StreamRange.forwards(1, 10))
            .stream()
            .map(RecordedEvent::type)
            .collect(Collectors.joining(", "));
    out.line("  " + events + (transfer.reason().isEmpty() ? "." : ": " + transfer.reason()));
  }

  void rebuild(String prefix) {
    Balances next = servers.balances(service, bank, version + 1);
    out.title("The view is made anew, beside the one that answers");
    aBusyDay(prefix);
    awaitView(balances.name(), service.storage().globalLog().status().head());

    Rebuild rebuild =
        versions.rebuild(
            Servers.BALANCES, next.name(), subscriptions, next.subscription(), next.filter());
    boolean switched;
    do {
      switched = rebuild.await(Duration.ofMillis(150));
      out.line("  %s: %s".formatted(next.name(), rebuild.progress()));
      Telling.check(balances.total().accounts() > ACCOUNTS, "the old version goes on answering");
    } while (!switched);

    Position head = service.storage().globalLog().status().head();
    awaitView(balances.name(), head);
    awaitView(next.name(), head);
    Telling.check(
        next.total().equals(balances.total()),
        next.name() + " shows the same as " + balances.name());
    fills.close();
    balances.drop();
    Balances.Total total = next.total();
    out.line(
        "%s answers now: %d accounts, %s. %s is gone."
            .formatted(next.name(), total.accounts(), total.money(), balances.name()));
  }

  private void aBusyDay(String prefix) {
    List<Callable<Long>> customers = new ArrayList<>();
    for (int i = 1; i <= ACCOUNTS; i++) {
      String account = prefix + i;
      customers.add(
          () -> {
            bank.open(account, "customer", Story.TAX_NUMBER);
            for (int deposit = 1; deposit <= DEPOSITS; deposit++) {
              bank.deposit(account, Money.chf(deposit), "till");
            }
            return bank.account(account).version();
          });
    }
    long start = System.nanoTime();
    Telling.atTheSameMoment(customers);
    out.line(
        "A busy day comes first: %,d deposits into %d new accounts, in %.1f s."
            .formatted(ACCOUNTS * DEPOSITS, ACCOUNTS, (System.nanoTime() - start) / 1e9));
  }

  void status(Relay relay) {
    out.title("Who does what: the status that an operator sees");
    Position head = service.storage().globalLog().status().head();
    versions.active(Servers.BALANCES).ifPresent(name -> awaitView(name, head));
    // A lane notes once a second in the store how far it has come.
    Telling.await(
        "That the relay has sent everything",
        () -> relay.status().stream().noneMatch(lane -> lane.backlog() > 0));
    StatusTable.of(subscriptions.status(), relay.status()).forEach(out::line);
  }

  private void awaitView(String name, Position position) {
    Telling.check(
        subscriptions.await(name, position, Telling.PATIENCE),
        name + " must come to " + position + " within " + Telling.PATIENCE.toSeconds());
  }
}
