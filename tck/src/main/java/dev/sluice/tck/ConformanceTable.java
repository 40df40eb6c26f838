package dev.sluice.tck;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What an adapter can do, and which guarantees it kept, as Markdown for its README. */
final class ConformanceTable {

  private static final Pattern NUMBER = Pattern.compile("([A-Z]\\d)_.*");

  private ConformanceTable() {}

  /** Which guarantee a test proves, such as {@code S4}; {@code other} for one without a number. */
  static String guarantee(String test) {
    Matcher matcher = NUMBER.matcher(test);
    return matcher.matches() ? matcher.group(1) : "other";
  }

  /**
   * The table: a row for each capability, and for the guarantees of each letter.
   *
   * @param isStorage whether there are capabilities: a broker's publisher has none
   * @param capabilities what the storage declares
   * @param failedTests the tests that failed, by the guarantees that were tested
   */
  static String of(
      boolean isStorage,
      Set<Capability> capabilities,
      SortedMap<String, List<String>> failedTests) {
    StringBuilder table = new StringBuilder("| | |\n| --- | --- |\n");
    if (isStorage) {
      for (Capability capability : Capability.values()) {
        boolean declared = capabilities.contains(capability);
        row(table, capability.name(), declared ? "yes" : "no, refused");
      }
    }
    SortedMap<String, SortedSet<String>> passed = new TreeMap<>();
    failedTests.forEach(
        (guarantee, failed) -> {
          if (failed.isEmpty() && !guarantee.equals("other")) {
            passed
                .computeIfAbsent(guarantee.substring(0, 1), letter -> new TreeSet<>())
                .add(guarantee);
          }
        });
    for (Map.Entry<String, SortedSet<String>> group : passed.entrySet()) {
      row(table, String.join(" ", group.getValue()), "passed");
    }
    failedTests.forEach(
        (guarantee, failed) -> {
          if (!failed.isEmpty()) {
            row(table, guarantee, "FAILED: " + String.join(", ", failed));
          }
        });
    return table.toString();
  }

  private static void row(StringBuilder table, String what, String answer) {
    table.append("| ").append(what).append(" | ").append(answer).append(" |\n");
  }
}
