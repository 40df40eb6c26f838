package dev.sluice.examples.benchmarks;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Collects results, and prints them as a table for people and as JSON lines for machines. */
final class Report {

  private final String bench;
  private final String store;
  private final List<Row> rows = new ArrayList<>();
  private final List<Latency> latencies = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private String server = "";

  Report(String bench, String store) {
    this.bench = bench;
    this.store = store;
  }

  /** What was measured on, with all settings that matter. */
  void server(String description) {
    server = description;
    System.out.println(description);
  }

  /** Something that a reader of the numbers has to know. */
  void note(String note) {
    notes.add(note);
  }

  /**
   * Adds a result.
   *
   * @param what the work
   * @param unit what is counted per second
   * @param baseline the rate of the code written by hand
   * @param sluice the rate of Sluice
   * @param goal the least ratio that is wanted, or 0
   */
  void add(String what, int threads, String unit, double baseline, double sluice, double goal) {
    Row row = new Row(what, threads, unit, baseline, sluice, goal);
    rows.add(row);
    System.out.println(row.line());
  }

  /**
   * Adds the latencies of single pieces of work.
   *
   * @param nanos one number for each piece
   * @param goal50 the greatest median that is wanted, in milliseconds, or 0
   * @param goal99 the greatest 99th percentile that is wanted, in milliseconds, or 0
   */
  void latency(String what, double goal50, double goal99, long[] nanos) {
    long[] sorted = nanos.clone();
    Arrays.sort(sorted);
    Latency latency =
        new Latency(
            what,
            sorted[sorted.length / 2] / 1e6,
            sorted[(int) (sorted.length * 0.99)] / 1e6,
            sorted[sorted.length - 1] / 1e6,
            goal50,
            goal99);
    latencies.add(latency);
    System.out.println(latency.line());
  }

  void print(PrintStream out) {
    out.println();
    out.println("Benchmark " + bench + " on " + store + ": " + server);
    out.println(
        Runtime.version()
            + ", "
            + Runtime.getRuntime().availableProcessors()
            + " processors shared by server and client");
    out.println(
        "%-34s %8s %14s %12s %12s %7s %6s"
            .formatted("work", "threads", "unit", "by hand", "sluice", "ratio", "goal"));
    rows.forEach(row -> out.println(row.line()));
    latencies.forEach(latency -> out.println(latency.line()));
    notes.forEach(note -> out.println("- " + note));
    out.println();
    rows.forEach(row -> out.println(row.json(bench, store, server)));
    latencies.forEach(latency -> out.println(latency.json(bench, store, server)));
  }

  private record Row(
      String what, int threads, String unit, double baseline, double sluice, double goal) {

    double ratio() {
      return sluice / baseline;
    }

    String line() {
      return String.format(
          Locale.ROOT,
          "%-34s %8d %14s %12.0f %12.0f %7.2f %6s",
          what,
          threads,
          unit,
          baseline,
          sluice,
          ratio(),
          goal == 0 ? "-" : String.format(Locale.ROOT, "%.2f", goal));
    }

    String json(String bench, String store, String server) {
      return String.format(
          Locale.ROOT,
          "{\"bench\":\"%s\",\"store\":\"%s\",\"server\":\"%s\",\"work\":\"%s\",\"threads\":%d,"
              + "\"unit\":\"%s\",\"baseline\":%.1f,\"sluice\":%.1f,\"ratio\":%.3f,\"goal\":%.2f}",
          bench,
          store,
          server.replace("\"", "'"),
          what,
          threads,
          unit,
          baseline,
          sluice,
          ratio(),
          goal);
    }
  }

  private record Latency(
      String what, double p50, double p99, double max, double goal50, double goal99) {

    String line() {
      return String.format(
          Locale.ROOT,
          "%-58s p50 %7.2f ms%s, p99 %7.2f ms%s, max %7.2f ms",
          what,
          p50,
          goal50 == 0 ? "" : String.format(Locale.ROOT, " (goal %.1f)", goal50),
          p99,
          goal99 == 0 ? "" : String.format(Locale.ROOT, " (goal %.1f)", goal99),
          max);
    }

    String json(String bench, String store, String server) {
      return String.format(
          Locale.ROOT,
          "{\"bench\":\"%s\",\"store\":\"%s\",\"server\":\"%s\",\"work\":\"%s\","
              + "\"unit\":\"ms\",\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f,\"goal50\":%.1f,"
              + "\"goal99\":%.1f}",
          bench,
          store,
          server.replace("\"", "'"),
          what,
          p50,
          p99,
          max,
          goal50,
          goal99);
    }
  }
}
