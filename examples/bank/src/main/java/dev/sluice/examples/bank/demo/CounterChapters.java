package dev.sluice.examples.bank.demo;

import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Storage;
import dev.sluice.core.store.StreamRange;
import dev.sluice.examples.bank.Bank;
import dev.sluice.examples.bank.account.Money;
import dev.sluice.examples.bank.account.RefusedException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/** Commands that meet at one account, and what is stored of them. */
final class CounterChapters {

  private final Telling out;

  CounterChapters(Telling out) {
    this.out = out;
  }

  void twoPeopleWithdraw(Bank bank, String account) {
    out.title("Two people withdraw 42.00 CHF at the same moment");
    Money everything = Money.chf(42);
    bank.open(account, "Anna and Ben", Story.TAX_NUMBER);
    bank.deposit(account, everything, "rent");
    out.line("Account %s belongs to Anna and Ben and holds %s.".formatted(account, everything));

    List<String> answers =
        Telling.atTheSameMoment(
            List.of(
                () -> askForMoney(bank, account, "Anna", everything),
                () -> askForMoney(bank, account, "Ben", everything)));

    answers.forEach(out::line);
    long winners = answers.stream().filter(answer -> answer.endsWith("here you are.")).count();
    Telling.check(winners == 1, "exactly one gets the money, not " + winners);
    out.line("The account holds %s now.".formatted(bank.account(account).state().balance()));
  }

  private static String askForMoney(Bank bank, String account, String who, Money amount) {
    try {
      bank.withdraw(account, amount, who);
      return "  %-5s asks for %s: here you are.".formatted(who, amount);
    } catch (RefusedException refused) {
      return "  %-5s asks for %s: refused. %s".formatted(who, amount, refused.reason());
    }
  }

  void fiftyDeposits(Bank bank, String account) {
    out.title("Fifty deposits of 1.00 CHF into that account at the same moment");
    List<Callable<Integer>> deposits = new ArrayList<>();
    for (int i = 1; i <= 50; i++) {
      String note = "coin " + i;
      deposits.add(() -> bank.deposit(account, Money.chf(1), note).conflicts());
    }
    List<Integer> conflicts = Telling.atTheSameMoment(deposits);
    Money balance = bank.account(account).state().balance();
    Telling.check(balance.equals(Money.chf(50)), "fifty deposits make 50.00 CHF, not " + balance);
    out.line("%d accepted, none lost: the account holds %s.".formatted(conflicts.size(), balance));
    out.line(
        "%d technical conflicts on the way, each solved by deciding again; no caller saw one."
            .formatted(conflicts.stream().mapToInt(Integer::intValue).sum()));
  }

  void readBack(Storage storage, String account) {
    StreamId stream = StreamId.of(Bank.CATEGORY, account);
    out.title("What the store holds: the stream " + stream);
    List<RecordedEvent> events = storage.eventStore().read(stream, StreamRange.forwards(1, 1_000));
    Telling.check(events.size() == 53, "53 events are stored, not " + events.size());
    out.line("version  position    event");
    for (RecordedEvent event : events) {
      if (event.version() <= 4) {
        out.line(
            "%7d  %-10s  %s %s"
                .formatted(event.version(), event.position(), event.type(), event.data().toUtf8()));
      }
    }
    out.line(
        "    ...  ...         and so on, up to version %d.".formatted(events.getLast().version()));
  }
}
