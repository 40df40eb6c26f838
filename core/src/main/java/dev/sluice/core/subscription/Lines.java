package dev.sluice.core.subscription;

import dev.sluice.core.Payload;
import java.util.ArrayList;
import java.util.List;

/**
 * The form in which subscriptions keep their small state: a version line, then lines of fields. Not
 * JSON, because only one package of the core may know Jackson.
 */
final class Lines {

  private static final String FORMAT = "sluice-subscription/1";

  private final StringBuilder text = new StringBuilder(FORMAT);

  Lines add(Object... fields) {
    text.append('\n');
    for (int i = 0; i < fields.length; i++) {
      if (i > 0) {
        text.append('\t');
      }
      text.append(escape(fields[i].toString()));
    }
    return this;
  }

  Payload toPayload() {
    return Payload.ofUtf8(text.toString());
  }

  static List<List<String>> parse(String name, Payload payload) {
    List<List<String>> lines = new ArrayList<>();
    if (payload.isEmpty()) {
      return lines;
    }
    String[] all = payload.toUtf8().split("\n", -1);
    if (!all[0].equals(FORMAT)) {
      throw new IllegalStateException(
          "the state of '"
              + name
              + "' has the form '"
              + all[0]
              + "', this version knows '"
              + FORMAT
              + "'; use the version that wrote it, or a newer one");
    }
    for (int i = 1; i < all.length; i++) {
      List<String> fields = new ArrayList<>();
      for (String field : all[i].split("\t", -1)) {
        fields.add(unescape(field));
      }
      lines.add(fields);
    }
    return lines;
  }

  private static String escape(String text) {
    return text.replace("\\", "\\\\")
        .replace("\t", "\\t")
        .replace("\n", "\\n")
        .replace("\r", "\\r")
        .replace("\u0000", "\\0");
  }

  private static String unescape(String text) {
    if (text.indexOf('\\') < 0) {
      return text;
    }
    StringBuilder plain = new StringBuilder(text.length());
    boolean escaped = false;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (escaped) {
        plain.append(unescape(c));
        escaped = false;
      } else if (c == '\\') {
        escaped = true;
      } else {
        plain.append(c);
      }
    }
    return plain.toString();
  }

  private static char unescape(char c) {
    return switch (c) {
      case 't' -> '\t';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case '0' -> '\u0000';
      default -> c;
    };
  }
}
