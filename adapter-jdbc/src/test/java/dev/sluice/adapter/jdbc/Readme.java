package dev.sluice.adapter.jdbc;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The code that the module's README shows. */
final class Readme {

  private Readme() {}

  /** The SQL block that begins with a text. */
  static String sql(String beginning) throws IOException {
    return block("sql", beginning);
  }

  /** The Java block that begins with a text. */
  static String java(String beginning) throws IOException {
    return block("java", beginning);
  }

  private static String block(String language, String beginning) throws IOException {
    Matcher blocks =
        Pattern.compile("```" + language + "\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(Path.of("README.md")));
    while (blocks.find()) {
      if (blocks.group(1).startsWith(beginning)) {
        return blocks.group(1);
      }
    }
    throw new AssertionError(
        "the README has no block of " + language + " that begins with " + beginning);
  }
}
