package dev.sluice.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What an adapter can do, and which guarantees it kept, as Markdown for its README. */
final class ConformanceTable {

  /** The guarantee of a test that has no number. */
  static final String OTHER = "other";

  private static final Pattern NUMBER = Pattern.compile("([A-Z]\\d)_.*");
  private static final String BEGIN = "<!-- conformance -->\n";

  private ConformanceTable() {}

  /** Which guarantee a test proves, such as {@code S4}; {@link #OTHER} for one without a number. */
  static String guarantee(String test) {
    Matcher matcher = NUMBER.matcher(test);
    return matcher.matches() ? matcher.group(1) : OTHER;
  }

  /** The guarantees that a suite has tests for, none of which failed. */
  static SortedMap<String, List<String>> passed(Class<?> suite) {
    SortedMap<String, List<String>> guarantees = new TreeMap<>();
    for (Method test : suite.getDeclaredMethods()) {
      if (test.isAnnotationPresent(Test.class)) {
        guarantees.put(guarantee(test.getName()), List.of());
      }
    }
    return guarantees;
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
        row(
            table,
            capability.name(),
            capabilities.contains(capability) ? "yes" : withoutIt(capability));
      }
    }
    SortedMap<String, SortedSet<String>> passed = new TreeMap<>();
    failedTests.forEach(
        (guarantee, failed) -> {
          if (failed.isEmpty() && !guarantee.equals(OTHER)) {
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

  private static String withoutIt(Capability capability) {
    return switch (capability) {
      case PARALLEL_APPENDS -> "no, they wait";
      case CALLER_TRANSACTIONS -> "no";
      case ANY_CHARS, LARGE_APPENDS -> "no, refused";
    };
  }

  private static void row(StringBuilder table, String what, String answer) {
    table.append("| ").append(what).append(" | ").append(answer).append(" |\n");
  }

  /** The table below the name of the adapter, and that of its store with the version. */
  static String below(String adapter, String store, String table) {
    return "**" + adapter + "**" + (store.isEmpty() ? "" : " on " + store) + "\n\n" + table;
  }

  /**
   * Fails if a README shows another table; it need not show one. Which store and version it names
   * is left open, because the tests may run on several.
   */
  static void assertCurrent(Path readme, String adapter, String table) throws IOException {
    String text = Files.exists(readme) ? Files.readString(readme) : "";
    int begin = text.indexOf(BEGIN);
    if (begin < 0) {
      return;
    }
    begin += BEGIN.length();
    String shown = text.substring(begin, Math.max(begin, text.indexOf("<!-- end -->", begin)));
    assertEquals(
        below(adapter, "", table),
        shown.replaceFirst("^(\\*\\*.*\\*\\*) on .+", "$1"),
        () -> readme.toAbsolutePath() + " shows another table than this one; replace it");
  }
}
