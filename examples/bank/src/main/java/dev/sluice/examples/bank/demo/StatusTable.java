package dev.sluice.examples.bank.demo;

import dev.sluice.core.subscription.SubscriptionStatus;
import dev.sluice.publisher.LaneStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What runs where, and how far it is, as a table for people. */
final class StatusTable {

  private StatusTable() {}

  static List<String> of(List<SubscriptionStatus> subscriptions, List<LaneStatus> lanes) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("", "state", "position", "lag", "owner", ""));
    for (SubscriptionStatus each : subscriptions) {
      rows.add(
          List.of(
              each.subscription(),
              words(each.state()),
              each.position().toString(),
              lag(each.lagEvents(), "events", each.lag()),
              each.owner().orElse("nobody"),
              each.detail()));
    }
    for (LaneStatus each : lanes) {
      rows.add(
          List.of(
              "relay, lane " + each.lane(),
              words(each.condition()),
              each.position().toString(),
              lag(each.backlog(), "messages", each.behind()),
              each.owner().orElse("nobody"),
              each.error().orElse("")));
    }
    return aligned(rows);
  }

  private static String words(Enum<?> state) {
    return state.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  private static String lag(long count, String what, Duration age) {
    return count == 0 ? "none" : "%d %s, %.1f s".formatted(count, what, age.toMillis() / 1e3);
  }

  private static List<String> aligned(List<List<String>> rows) {
    List<String> lines = new ArrayList<>();
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int column = 0; column < row.size(); column++) {
        int at = column;
        int width = rows.stream().mapToInt(each -> each.get(at).length()).max().orElse(0);
        line.append(row.get(column)).append(" ".repeat(width - row.get(column).length() + 2));
      }
      lines.add(line.toString().stripTrailing());
    }
    return lines;
  }
}
