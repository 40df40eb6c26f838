package dev.sluice.tck;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Writes down which guarantees an adapter kept: {@code conformance.json} for machines, and {@code
 * conformance.md}, a table to put into a README. They land in {@code target}, or in the directory
 * that the JUnit configuration parameter {@code sluice.tck.report} names; {@code off} writes none.
 */
final class ConformanceReport implements AfterEachCallback {

  @Override
  public void afterEach(ExtensionContext context) {
    String directory = context.getConfigurationParameter("sluice.tck.report").orElse("target");
    if (directory.equals("off")) {
      return;
    }
    Run run =
        context
            .getRoot()
            .getStore(ExtensionContext.Namespace.create(ConformanceReport.class))
            .getOrComputeIfAbsent(Run.class, key -> new Run(Path.of(directory)), Run.class);
    Object test = context.getRequiredTestInstance();
    if (test instanceof Contract contract) {
      run.describe(contract.adapter, contract.store, contract.capabilities);
    } else if (test instanceof MessagePublisherContract contract) {
      run.describe(contract.adapter(), "", Set.of());
    }
    run.add(context.getRequiredTestMethod().getName(), context.getExecutionException().isEmpty());
  }

  private record Result(String test, boolean passed) {}

  /** The results of one launch, written when it ends. */
  private static final class Run implements AutoCloseable {

    private final Path directory;
    private final SortedMap<String, List<Result>> byGuarantee = new TreeMap<>();
    private String adapter = "";
    private String store = "";
    private Set<Capability> capabilities = Set.of();

    Run(Path directory) {
      this.directory = directory;
    }

    synchronized void describe(String adapter, String store, Set<Capability> capabilities) {
      this.adapter = adapter;
      this.store = store;
      this.capabilities = capabilities;
    }

    synchronized void add(String test, boolean passed) {
      byGuarantee
          .computeIfAbsent(ConformanceTable.guarantee(test), key -> new ArrayList<>())
          .add(new Result(test, passed));
    }

    @Override
    public synchronized void close() {
      try {
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("conformance.json"), json());
        Files.writeString(directory.resolve("conformance.md"), markdown());
      } catch (IOException e) {
        throw new UncheckedIOException("the conformance report can't be written", e);
      }
    }

    private String json() {
      List<String> guarantees = new ArrayList<>();
      byGuarantee.forEach(
          (guarantee, results) ->
              guarantees.add(
                  "    %s: {\"passed\": %b, \"tests\": {%s}}"
                      .formatted(
                          quoted(guarantee),
                          results.stream().allMatch(Result::passed),
                          String.join(
                              ", ",
                              results.stream()
                                  .map(result -> quoted(result.test()) + ": " + result.passed())
                                  .toList()))));
      return """
      {
        "adapter": %s,
        "store": %s,
        "capabilities": {%s},
        "guarantees": {
      %s
        }
      }
      """
          .formatted(
              quoted(adapter),
              quoted(store),
              String.join(
                  ", ",
                  List.of(Capability.values()).stream()
                      .map(c -> quoted(c.name()) + ": " + capabilities.contains(c))
                      .toList()),
              String.join(",\n", guarantees));
    }

    private String markdown() {
      SortedMap<String, List<String>> failed = new TreeMap<>();
      byGuarantee.forEach(
          (guarantee, results) ->
              failed.put(
                  guarantee,
                  results.stream().filter(result -> !result.passed()).map(Result::test).toList()));
      String where = store.isEmpty() ? "" : " on " + store;
      return "**"
          + adapter
          + "**"
          + where
          + "\n\n"
          + ConformanceTable.of(!store.isEmpty(), capabilities, failed);
    }

    private static String quoted(String text) {
      StringBuilder quoted = new StringBuilder("\"");
      for (int i = 0; i < text.length(); i++) {
        char c = text.charAt(i);
        if (c == '"' || c == '\\') {
          quoted.append('\\').append(c);
        } else if (c < ' ') {
          quoted.append("\\u%04x".formatted((int) c));
        } else {
          quoted.append(c);
        }
      }
      return quoted.append('"').toString();
    }
  }
}
