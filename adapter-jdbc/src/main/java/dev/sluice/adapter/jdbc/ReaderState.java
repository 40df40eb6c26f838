package dev.sluice.adapter.jdbc;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Finds in the checkpoints of subscriptions and relays what they can't deal with. The forms belong
 * to the core and to the publisher, which this module can't ask for them: subscriptions that were
 * not started in this process have no status, and the publisher is no dependency. So it reads the
 * few lines it needs, and says so where it doesn't know the form.
 */
final class ReaderState {

  private static final String SUBSCRIPTION = "sluice-subscription/1";
  private static final String LANE = "sluice-lane 1";
  private static final String DECIDE = "; correct the cause, and resume, skip or replace it with ";

  private ReaderState() {}

  /** What is wrong, one sentence each. */
  static List<String> problems(String name, byte[] state) {
    String[] lines = new String(state, StandardCharsets.UTF_8).split("\n", -1);
    try {
      if (name.startsWith("subscription/")) {
        return subscription(name, lines);
      }
      // What a relay makes from history is kept under another name, in the same form.
      return name.startsWith("relay/") || name.startsWith("backfill/")
          ? relay(name, lines)
          : List.of();
    } catch (ArrayIndexOutOfBoundsException | IllegalArgumentException e) {
      return List.of(unknown(name, lines[0]));
    }
  }

  /** Fields between tabs; line ends in them are escaped, and stay so on the one line of a find. */
  private static List<String> subscription(String name, String[] lines) {
    if (lines.length == 1 && lines[0].isEmpty()) {
      return List.of();
    }
    if (!lines[0].equals(SUBSCRIPTION)) {
      return List.of(unknown(name, lines[0]));
    }
    boolean stopped = false;
    String failing = "";
    List<String> parked = new ArrayList<>();
    for (String line : lines) {
      String[] field = line.split("\t", -1);
      switch (field[0]) {
        case "partition" -> stopped = Boolean.parseBoolean(field[4]);
        case "failing" -> {
          // The first try of an event under suspicion is no failure yet.
          if (Integer.parseInt(field[4]) > 1 || !field[5].isEmpty()) {
            failing = event(field);
          }
        }
        case "parked" -> parked.add(event(field));
        default -> {
          // the format, and what people decided
        }
      }
    }
    return found(
        name,
        stopped ? Optional.of(failing) : Optional.empty(),
        failing.isEmpty() ? "" : failing + "; correct what it says",
        parked,
        "Subscriptions");
  }

  private static String event(String[] field) {
    return "%s, version %s, try %s: %s".formatted(field[1], field[2], field[4], field[5]);
  }

  /** The position, the error, and the lane's own lines, whose fields are encoded as in URLs. */
  private static List<String> relay(String name, String[] lines) {
    if (lines.length > 2 && !lines[2].equals(LANE)) {
      return List.of(unknown(name, lines[2]));
    }
    String stopped = "";
    List<String> parked = new ArrayList<>();
    for (String line : lines) {
      String[] field = line.split(" ", -1);
      if (field[0].equals("stopped")) {
        stopped = message(field);
      } else if (field[0].equals("parked")) {
        parked.add(message(field));
      }
    }
    return found(
        name,
        stopped.isEmpty() ? Optional.empty() : Optional.of(stopped),
        lines.length > 1 ? decoded(lines[1]) : "",
        parked,
        "RelayControl");
  }

  /**
   * @param stoppedBy why it doesn't even try again
   * @param failing why it tries again; empty if it has no trouble
   * @param decider the class with which a person decides
   */
  private static List<String> found(
      String name,
      Optional<String> stoppedBy,
      String failing,
      List<String> parked,
      String decider) {
    List<String> found = new ArrayList<>();
    if (stoppedBy.isPresent()) {
      found.add(name + " is stopped by " + stoppedBy.get() + DECIDE + decider);
    } else if (!failing.isEmpty()) {
      found.add(name + " is failing and tries again: " + failing);
    }
    if (!parked.isEmpty()) {
      found.add(
          "%s has parked %d, the first %s%s%s"
              .formatted(name, parked.size(), parked.getFirst(), DECIDE, decider));
    }
    return found;
  }

  private static String message(String[] field) {
    return "message %s of type %s and key %s, try %s: %s"
        .formatted(
            decoded(field[1]),
            decoded(field[2]),
            decoded(field[3]),
            decoded(field[7]),
            decoded(field[5]));
  }

  private static String decoded(String field) {
    return URLDecoder.decode(field, StandardCharsets.UTF_8).replaceAll("\\s*\\R\\s*", "; ");
  }

  private static String unknown(String name, String form) {
    return name
        + " keeps its state in a form that this version doesn't know, '"
        + form
        + "', so that nothing can be said about it; use the version that wrote it, or a newer one";
  }
}
