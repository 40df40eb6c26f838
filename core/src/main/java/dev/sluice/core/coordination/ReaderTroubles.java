package dev.sluice.core.coordination;

import dev.sluice.core.Payload;
import dev.sluice.core.Position;
import dev.sluice.core.outbox.Outbox;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What is wrong with subscriptions and relays by what they have left in the store, in sentences
 * that say what to do: for the doctor of a storage adapter, which is asked when nothing of a
 * service runs. Adapters of your own can use it in theirs.
 */
public final class ReaderTroubles {

  // The forms are those that subscriptions and the publisher write; they are versioned, and of a
  // later one this says that it doesn't know it.
  private static final String SUBSCRIPTION = "sluice-subscription/1";
  private static final String LANE = "sluice-lane 1";

  private static final String SUBSCRIPTIONS = "subscription/";
  private static final String BACKFILLS = "backfill/";
  private static final String CHANGE = Outbox.RELAY_PREFIX + "change:";
  private static final String RESTART = Outbox.RELAY_PREFIX + "restart:";
  private static final Pattern PUBLISHED = Pattern.compile("p1-[0-9]{1,18}");
  private static final String DECIDE = "; correct the cause, and resume, skip or replace it with ";

  private ReaderTroubles() {}

  /**
   * Up to where a reader has dealt with everything. A relay's checkpoint stands before the last
   * message that it has published, which its state names.
   */
  public static Position passed(Checkpoint checkpoint) {
    if (checkpoint.name().startsWith(Outbox.RELAY_PREFIX)) {
      Matcher published = PUBLISHED.matcher(checkpoint.state().toUtf8());
      if (published.lookingAt()) {
        return Position.max(checkpoint.position(), Position.parse(published.group()));
      }
    }
    return checkpoint.position();
  }

  /** What keeps one from going on, one sentence each; empty if nothing is known to. */
  public static List<String> of(String name, Payload state) {
    String[] lines = state.toUtf8().split("\n", -1);
    try {
      if (name.startsWith(SUBSCRIPTIONS)) {
        return subscription(name, lines);
      }
      // What a relay makes from history is kept under another name, in the same form.
      return name.startsWith(Outbox.RELAY_PREFIX) || name.startsWith(BACKFILLS)
          ? relay(name, lines)
          : List.of();
    } catch (ArrayIndexOutOfBoundsException | IllegalArgumentException e) {
      return List.of(unknown(name, lines[0]));
    }
  }

  /**
   * What is to be done about one that lies behind, if nobody runs it. Those under names of others
   * may be run without a lease.
   *
   * @param behind how many events or messages it lies behind, in words
   * @param held the names of all leases that somebody holds
   */
  public static Optional<String> abandoned(String name, String behind, Set<String> held) {
    if (held.contains(name)) {
      return Optional.empty();
    }
    String begin = name + " is " + behind + " behind and nobody runs it; ";
    if (name.startsWith(SUBSCRIPTIONS)) {
      return Optional.of(
          begin
              + "start it, or if it is retired, Subscriptions.forget(\""
              + name.substring(SUBSCRIPTIONS.length(), name.lastIndexOf('/'))
              + "\")");
    }
    if (!name.startsWith(Outbox.RELAY_PREFIX) || isAtWork(name, held)) {
      return Optional.empty();
    }
    if (name.startsWith(RESTART)) {
      return Optional.of(
          name
              + " is left of a restart of a lane that broke off, and holds back pruning of the"
              + " outbox; start the relay, which removes it, or if it is retired, call"
              + " RelayControl.forget()");
    }
    if (name.startsWith(CHANGE)) {
      return Optional.of(
          name
              + " is left of a change of the number of lanes that broke off, and holds back"
              + " pruning of the outbox; change the number again");
    }
    return Optional.of(
        begin
            + "it holds back pruning of the outbox; start it, or if it is retired, call"
            + " RelayControl.forget()");
  }

  /** Whether somebody runs the lane that this is about, or changes the number of lanes. */
  private static boolean isAtWork(String name, Set<String> held) {
    // What keeps the outbox meanwhile has a word and a colon before the relay's name, which has
    // none.
    String lane = name.substring(Math.max(Outbox.RELAY_PREFIX.length(), name.indexOf(':') + 1));
    return held.contains(Outbox.RELAY_PREFIX + lane)
        || held.contains("relay-change/" + lane.replaceFirst("/[0-9]+$", ""));
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
