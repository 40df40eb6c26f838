package dev.sluice.publisher;

import dev.sluice.core.Position;
import dev.sluice.core.outbox.OutboxMessage;
import java.time.Instant;
import java.util.UUID;

/**
 * A message that the broker does not take.
 *
 * @param id the message's id, by which a decision about it is given
 * @param type the registered name of the integration event
 * @param key the key whose order it belongs to
 * @param position where it stands in the outbox
 * @param reason what the broker said at the last attempt
 * @param since when the last attempt was made
 * @param attempts how often it was tried
 */
public record RefusedMessage(
    UUID id,
    String type,
    String key,
    Position position,
    String reason,
    Instant since,
    int attempts) {

  private static final int MAX_REASON = 500;

  static RefusedMessage of(OutboxMessage refused, String reason, int attempts) {
    return new RefusedMessage(
        refused.message().id(),
        refused.message().type(),
        refused.message().key(),
        refused.position(),
        cut(reason),
        Instant.now(),
        attempts);
  }

  /** After a decision about it that came to nothing. */
  RefusedMessage again(String reason) {
    return new RefusedMessage(id, type, key, position, cut(reason), Instant.now(), 1);
  }

  private static String cut(String reason) {
    return reason.length() > MAX_REASON ? reason.substring(0, MAX_REASON) + "…" : reason;
  }
}
