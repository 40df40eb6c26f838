package dev.sluice.publisher;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Whether a text that somebody has typed is JSON (RFC 8259). The module has no JSON library: what
 * it publishes was serialised by others, but for replacements.
 */
final class JsonText {
  private static final int MAX_DEPTH = 500;
  private static final Pattern STRING =
      Pattern.compile("\"(?:[^\"\\\\\\x00-\\x1f]|\\\\(?:[\"\\\\/bfnrt]|u[0-9a-fA-F]{4}))*+\"");
  private static final Pattern PLAIN =
      Pattern.compile("true|false|null|-?(?:0|[1-9][0-9]*+)(?:\\.[0-9]++)?(?:[eE][+-]?[0-9]++)?");

  private final String text;
  private int at;

  private JsonText(String text) {
    this.text = text;
  }

  /**
   * Refuses what is not JSON.
   *
   * @throws IllegalArgumentException with the place where it ends to be
   */
  static void check(String text) {
    JsonText json = new JsonText(text);
    json.value(0);
    if (json.at < text.length()) {
      throw json.unexpected();
    }
  }

  private void value(int depth) {
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException("JSON with more than " + MAX_DEPTH + " levels");
    }
    space();
    if (skip('{')) {
      members('}', depth, true);
    } else if (skip('[')) {
      members(']', depth, false);
    } else if (!skip(STRING) && !skip(PLAIN)) {
      throw unexpected();
    }
    space();
  }

  private void members(char end, int depth, boolean named) {
    space();
    if (skip(end)) {
      return;
    }
    do {
      space();
      if (named) {
        expect(skip(STRING));
        space();
        expect(skip(':'));
      }
      value(depth + 1);
    } while (skip(','));
    expect(skip(end));
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private boolean skip(char next) {
    boolean there = at < text.length() && text.charAt(at) == next;
    at += there ? 1 : 0;
    return there;
  }

  private boolean skip(Pattern next) {
    Matcher matcher = next.matcher(text).region(at, text.length());
    boolean there = matcher.lookingAt();
    at = there ? matcher.end() : at;
    return there;
  }

  private void expect(boolean there) {
    if (!there) {
      throw unexpected();
    }
  }

  private IllegalArgumentException unexpected() {
    return new IllegalArgumentException(
        at == text.length()
            ? "this is no JSON: something is missing at its end"
            : "this is no JSON from character "
                + (at + 1)
                + " on: "
                + text.substring(at, Math.min(text.length(), at + 20)));
  }
}
