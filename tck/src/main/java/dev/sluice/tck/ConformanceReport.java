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
    String name = context.getRequiredTestMethod().getName();
    String guarantee = ConformanceTable.guarantee(name);
    Result result = new Result(name, context.getExecutionException().isEmpty());
    if (test instanceof Contract contract) {
      run.add(
          new Tested(contract.adapter, contract.store, true, contract.capabilities),
          guarantee,
          result);
    } else if (test instanceof MessagePublisherContract contract && contract.proves(guarantee)) {
      run.add(new Tested(contract.adapter, contract.broker, false, Set.of()), guarantee, result);
    }
  }

  private record Result(String test, boolean passed) {}

  /** The results of one launch, written when it ends. */
  private static final class Run implements AutoCloseable {

    private final Path directory;
    private final SortedMap<String, Tested> byAdapter = new TreeMap<>();

    Run(Path directory) {
      this.directory = directory;
    }

    synchronized void add(Tested tested, String guarantee, Result result) {
      byAdapter
          .computeIfAbsent(tested.adapter, name -> tested)
          .byGuarantee
          .computeIfAbsent(guarantee, key -> new ArrayList<>())
          .add(result);
    }

    @Override
    public synchronized void close() {
      List<String> json = byAdapter.values().stream().map(Tested::json).toList();
      List<String> markdown = byAdapter.values().stream().map(Tested::markdown).toList();
      try {
        Files.createDirectories(directory);
        Files.writeString(
            directory.resolve("conformance.json"),
            "{\"adapters\": [\n" + String.join(",\n", json) + "\n]}\n");
        Files.writeString(directory.resolve("conformance.md"), String.join("\n", markdown));
      } catch (IOException e) {
        throw new UncheckedIOException("the conformance report can't be written", e);
      }
    }
  }

  /** One adapter and its results: a launch may test several. */
  private static final class Tested {

    private final String adapter;
    private final String store;
    private final boolean isStorage;
    private final Set<Capability> capabilities;
    private final SortedMap<String, List<Result>> byGuarantee = new TreeMap<>();

    Tested(String adapter, String store, boolean isStorage, Set<Capability> capabilities) {
      this.adapter = adapter;
      this.store = store;
      this.isStorage = isStorage;
      this.capabilities = capabilities;
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
      List<Capability> all = isStorage ? List.of(Capability.values()) : List.of();
      return """
      {
        "adapter": %s,
        "store": %s,
        "capabilities": {%s},
        "guarantees": {
      %s
        }
      }"""
          .formatted(
              quoted(adapter),
              quoted(store),
              String.join(
                  ", ",
                  all.stream()
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
      return ConformanceTable.below(
          adapter, store, ConformanceTable.of(isStorage, capabilities, failed));
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
