package dev.sluice.adapter.mongo;

import dev.sluice.core.Position;
import dev.sluice.core.coordination.Lease;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What {@link MongoStorage#doctor()} found: the answer to "why does nothing move?". The text form
 * is for people.
 *
 * @param store product, version, topology and address
 * @param concerns the write and the read concern, as far as they weaken a guarantee with what is
 *     lost
 * @param schemaVersion the version of the schema in the database
 * @param drawn the last number of a commit that was drawn
 * @param last the last number that stands in the log
 * @param settled the last number up to which none is missing; readers get that far
 * @param head the position of the last event that can be read
 * @param hole the missing number that readers wait for, if there is one
 * @param fillers how many numbers were drawn for nothing, ever
 * @param outboxBacklog how many integration messages no relay has passed, or that no relay reads
 * @param lags for each checkpoint, how many events or messages lie behind it
 * @param leases the leases that are held
 * @param findings what is wrong, each with the next step; empty if nothing is
 */
public record Diagnosis(
    String store,
    String concerns,
    int schemaVersion,
    long drawn,
    long last,
    long settled,
    Position head,
    Optional<Hole> hole,
    long fillers,
    long outboxBacklog,
    Map<String, Long> lags,
    List<Lease> leases,
    List<String> findings) {

  /**
   * A number that was drawn and not inserted yet.
   *
   * @param number the number
   * @param age since this process first met it
   */
  public record Hole(long number, Duration age) {}

  /** Copies the collections. */
  public Diagnosis {
    lags = Map.copyOf(lags);
    leases = List.copyOf(leases);
    findings = List.copyOf(findings);
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    line(text, "store", store);
    line(text, "concerns", concerns);
    line(text, "schema", schemaVersion);
    line(text, "commits", "drawn " + drawn + ", last " + last + ", readable up to " + settled);
    line(text, "head", head);
    line(
        text,
        "hole",
        hole.map(h -> "commit " + h.number() + " is missing since " + h.age().toMillis() + " ms")
            .orElse("none"));
    line(text, "fillers", fillers);
    line(text, "outbox", outboxBacklog + " messages wait");
    lags.entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(lag -> line(text, "behind", lag.getKey() + ": " + lag.getValue()));
    leases.forEach(
        lease ->
            line(
                text,
                "lease",
                lease.name() + " held by " + lease.owner() + " until " + lease.expiresAt()));
    if (findings.isEmpty()) {
      line(text, "findings", "none");
    }
    findings.forEach(finding -> line(text, "finding", finding));
    return text.toString();
  }

  private static void line(StringBuilder text, String name, Object value) {
    text.append(String.format("%-9s %s%n", name, value));
  }
}
