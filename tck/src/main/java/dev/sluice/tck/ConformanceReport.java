package dev.sluice.tck;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Writes down which guarantees an adapter kept: {@code conformance.json} for machines, and {@code
 * conformance.md}, a table to put into a README. They land in {@code target}, or in the directory
 * that the JUnit configuration parameter {@code sluice.tck.report} names; {@code off} writes none.
 */
final class ConformanceReport implements AfterEachCallback {

  private static final Pattern NUMBER = Pattern.compile("([A-Z])(\\d+)_.*");

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
    private final Map<String, List<Result>> byGuarantee =
        new TreeMap<>(
            (a, b) ->
                a.length() == b.length() || a.charAt(0) != b.charAt(0)
                    ? a.compareTo(b)
                    : Integer.compare(a.length(), b.length()));
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
      Matcher matcher = NUMBER.matcher(test);
      String guarantee = matcher.matches() ? matcher.group(1) + matcher.group(2) : "other";
      byGuarantee
          .computeIfAbsent(guarantee, key -> new ArrayList<>())
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
      StringBuilder table = new StringBuilder();
      table.append("**").append(adapter).append("**");
      if (!store.isEmpty()) {
        table.append(" on ").append(store);
      }
      table.append("\n\n");
      for (Capability capability : store.isEmpty() ? new Capability[0] : Capability.values()) {
        table
            .append("- ")
            .append(capability)
            .append(capabilities.contains(capability) ? ": yes\n" : ": no, refused\n");
      }
      table.append("\n| guarantee | tests | result |\n| --- | --- | --- |\n");
      byGuarantee.forEach(
          (guarantee, results) -> {
            List<String> failed =
                results.stream().filter(result -> !result.passed()).map(Result::test).toList();
            table
                .append("| ")
                .append(guarantee)
                .append(" | ")
                .append(results.size())
                .append(" | ")
                .append(failed.isEmpty() ? "passed" : "FAILED: " + String.join(", ", failed))
                .append(" |\n");
          });
      return table.toString();
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
