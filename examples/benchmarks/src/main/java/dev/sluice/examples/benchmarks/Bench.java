package dev.sluice.examples.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Runs one benchmark: {@code mvn -q -Pbench package -Dbench=append [-Dstore=postgres]
 * [-Dthreads=1,8,32] [-Dseconds=2]}.
 */
public final class Bench {

  /** Add yours here. */
  private static final List<Benchmark> ALL =
      List.of(
          new PostgresAppend(),
          new PostgresLoad(),
          new PostgresRead(),
          new PostgresGrowth(),
          new PostgresPublish(),
          new MongoAppend(),
          new MongoLoad(),
          new MongoRead(),
          new PostgresTail(),
          new PostgresReplay(),
          new PostgresHotAggregate());

  private Bench() {}

  /** Reads the system properties {@code bench}, {@code store}, {@code threads}, {@code seconds}. */
  public static void main(String[] args) throws Exception {
    Benchmark chosen;
    Settings settings;
    try {
      chosen = choose(property("bench", ""), property("store", "postgres"));
      settings =
          new Settings(
              numbers("threads", chosen.defaultThreads()), number("seconds", chosen.seconds()));
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(2);
      return;
    }
    Report report = new Report(chosen.name(), chosen.store());
    chosen.run(settings, report);
    report.print(System.out);
    System.exit(0);
  }

  static Benchmark choose(String bench, String store) {
    List<Benchmark> sameName = new ArrayList<>();
    for (Benchmark benchmark : ALL) {
      if (benchmark.name().equals(bench)) {
        sameName.add(benchmark);
        if (benchmark.store().equals(store)) {
          return benchmark;
        }
      }
    }
    if (sameName.isEmpty()) {
      throw new IllegalArgumentException(
          (bench.isEmpty() ? "No benchmark was chosen" : "There is no benchmark '" + bench + "'")
              + "; choose one with -Dbench="
              + ALL.stream().map(Benchmark::name).distinct().collect(Collectors.joining("|")));
    }
    throw new IllegalArgumentException(
        "The benchmark '"
            + bench
            + "' does not run on the store '"
            + store
            + "'; choose one with -Dstore="
            + sameName.stream().map(Benchmark::store).collect(Collectors.joining("|")));
  }

  /** Maven passes an empty value, or the placeholder itself, for what was not given. */
  private static String property(String name, String otherwise) {
    String value = System.getProperty(name, "").strip();
    return value.isEmpty() || value.startsWith("${") ? otherwise : value;
  }

  private static List<Integer> numbers(String name, List<Integer> otherwise) {
    String value = property(name, "");
    if (value.isEmpty()) {
      return otherwise;
    }
    return Arrays.stream(value.split(",", -1)).map(text -> positive(name, text)).toList();
  }

  private static int number(String name, int otherwise) {
    String value = property(name, "");
    return value.isEmpty() ? otherwise : positive(name, value);
  }

  private static int positive(String name, String text) {
    try {
      int number = Integer.parseInt(text.strip());
      if (number >= 1 && number <= 10_000) {
        return number;
      }
    } catch (NumberFormatException e) {
      // falls through to the one message
    }
    throw new IllegalArgumentException(
        "-D"
            + name
            + "="
            + text
            + " is not a number from 1 to 10000; give one, as -D"
            + name
            + "=8");
  }
}
