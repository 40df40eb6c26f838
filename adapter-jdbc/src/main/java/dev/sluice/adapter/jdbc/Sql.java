package dev.sluice.adapter.jdbc;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The statements of one schema, read from the files under {@code sql/}. A line {@code -- :name}
 * begins a statement or a part of one, other lines with {@code --} are comments, and {@code {name}}
 * stands for another part. Immutable.
 */
final class Sql {

  private static final Pattern REFERENCE = Pattern.compile("\\{([a-z-]+)}");

  private final Map<String, String> parts = new HashMap<>();

  Sql(String schema) {
    parts.put("schema", quoted(schema));
    for (String file : new String[] {"append.sql", "read.sql", "coordination.sql", "doctor.sql"}) {
      readParts("sql/" + file);
    }
  }

  /** A statement with all its parts filled in. */
  String get(String name) {
    return get(name, Map.of());
  }

  /** A statement where some references stand for something else than the part of their name. */
  String get(String name, Map<String, String> instead) {
    return fill(part(name), instead);
  }

  /** Fills the references in a text that is not a part. */
  String fill(String text) {
    return fill(text, Map.of());
  }

  private String fill(String text, Map<String, String> instead) {
    Matcher matcher = REFERENCE.matcher(text);
    StringBuilder filled = new StringBuilder();
    while (matcher.find()) {
      String reference = matcher.group(1);
      @Nullable String given = instead.get(reference);
      String replacement = given == null ? part(reference) : given;
      matcher.appendReplacement(filled, Matcher.quoteReplacement(fill(replacement, instead)));
    }
    return matcher.appendTail(filled).toString();
  }

  String part(String name) {
    String part = parts.get(name);
    if (part == null) {
      throw new IllegalStateException("no SQL with the name " + name);
    }
    return part;
  }

  private void readParts(String file) {
    String name = "";
    StringBuilder part = new StringBuilder();
    for (String line : resource(file).split("\n", -1)) {
      if (line.startsWith("-- :")) {
        put(name, part);
        name = line.substring("-- :".length()).strip();
        part.setLength(0);
      } else if (!line.startsWith("--")) {
        part.append(line).append('\n');
      }
    }
    put(name, part);
  }

  private void put(String name, StringBuilder part) {
    if (!name.isEmpty() && parts.put(name, part.toString().strip()) != null) {
      throw new IllegalStateException("two SQL parts with the name " + name);
    }
  }

  static String quoted(String identifier) {
    return '"' + identifier + '"';
  }

  /** A file beside this class. */
  static String resource(String file) {
    try (@Nullable InputStream in = Sql.class.getResourceAsStream(file)) {
      if (in == null) {
        throw new IllegalStateException("the file " + file + " is missing in this jar");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** {@code count} times a text, with something between. */
  static String repeat(String text, int count, String between) {
    return java.util.stream.Stream.generate(() -> text)
        .limit(count)
        .collect(Collectors.joining(between));
  }
}
