package dev.sluice.examples.benchmarks;

import dev.sluice.core.aggregate.CommandHandler;
import dev.sluice.core.aggregate.CommandResult;
import dev.sluice.core.aggregate.Decider;
import dev.sluice.core.aggregate.RetryPolicy;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * All threads at one aggregate: those that meet conflicts and decide again, against the single
 * writer, where they wait for each other and share commits.
 */
final class PostgresHotAggregate implements Benchmark {

  /** After so many commands they all go on to a next aggregate, so that its length says nothing. */
  private static final int COMMANDS_EACH = 500;

  @Override
  public String name() {
    return "hot-aggregate";
  }

  @Override
  public String store() {
    return "postgres";
  }

  @Override
  public List<Integer> defaultThreads() {
    return List.of(8);
  }

  @Override
  public void run(Settings settings, Report report) throws Exception {
    int most = settings.mostThreads();
    try (Postgres postgres = Postgres.start(most, report)) {
      for (int threads : settings.threads()) {
        LongAdder conflicts = new LongAdder();
        LongAdder conflictsOfSingleWriter = new LongAdder();
        var retrying =
            step(
                builder(postgres, "retrying" + threads)
                    .retries(
                        new RetryPolicy(
                            10_000,
                            RetryPolicy.DEFAULT.firstDelay(),
                            RetryPolicy.DEFAULT.maxDelay()))
                    .build(),
                conflicts);
        var single =
            step(
                builder(postgres, "single" + threads).singleWriter(100).build(),
                conflictsOfSingleWriter);
        double[] rates =
            Rates.perSecond(
                threads, settings.seconds(), List.of(thread -> retrying, thread -> single));
        report.add(
            "commands for one aggregate",
            threads,
            "commands/s",
            rates[0],
            rates[1],
            threads == 8 ? 8 : 0);
        report.note(
            "%d threads: %,d conflicts were retried, %,d of them with the single writer"
                .formatted(
                    threads,
                    conflicts.sum() + conflictsOfSingleWriter.sum(),
                    conflictsOfSingleWriter.sum()));
      }
      report.note("by hand: the same command handler, each thread retrying its conflicts");
    }
  }

  private static CommandHandler.Builder<Long, Long, Samples.MoneyDeposited> builder(
      Postgres postgres, String category) {
    return CommandHandler.builder(
        postgres.storage(), Samples.CODEC, category, Samples.MoneyDeposited.class, new Balance());
  }

  private static Rates.Step step(
      CommandHandler<Long, Long, Samples.MoneyDeposited> handler, LongAdder conflicts) {
    AtomicLong commands = new AtomicLong();
    return () -> {
      long aggregate = commands.getAndIncrement() / COMMANDS_EACH;
      CommandResult<Long, Samples.MoneyDeposited> result =
          handler.handle(Long.toString(aggregate), 1L);
      conflicts.add(result.conflicts());
    };
  }

  private static final class Balance implements Decider<Long, Long, Samples.MoneyDeposited> {

    @Override
    public Long initial() {
      return 0L;
    }

    @Override
    public Long evolve(Long balance, Samples.MoneyDeposited event) {
      return balance + event.cents();
    }

    @Override
    public List<Samples.MoneyDeposited> decide(Long cents, Long balance) {
      return List.of(
          new Samples.MoneyDeposited(
              "5f0c1d8e-6a7b-4c3d-9e2f-1a2b3c4d5e6f",
              cents,
              "CHF",
              "salary for november, paid by the employer as every month",
              "CH93 0076 2011 6238 5295 7"));
    }
  }
}
