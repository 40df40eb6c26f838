package dev.sluice.adapter.jdbc;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The SQL that the module's README tells people to run. */
final class Readme {

  private static final Pattern SQL = Pattern.compile("```sql\n(.*?)```", Pattern.DOTALL);

  private Readme() {}

  /** The block that begins with a text. */
  static String sql(String beginning) throws IOException {
    Matcher blocks = SQL.matcher(Files.readString(Path.of("README.md")));
    while (blocks.find()) {
      if (blocks.group(1).startsWith(beginning)) {
        return blocks.group(1);
      }
    }
    throw new AssertionError("the README has no SQL that begins with " + beginning);
  }
}
