package dev.sluice.core.outbox;

import dev.sluice.core.Payload;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.UUID;

/**
 * A serialised integration event, ready to be published.
 *
 * @param id always the same one for the same event, however often it is made or sent: consumers
 *     recognise repetitions by it
 * @param type the registered name of the integration event
 * @param key messages with the same key are published in order; by default the aggregate's id; at
 *     most {@value #MAX_KEY_BYTES} bytes in UTF-8, since relays note the keys that they hold back
 * @param subject what it is about; by default the aggregate's id
 * @param time when it happened, cut to microseconds
 * @param data the serialised event, JSON
 * @param correlationId what the whole conversation is known by
 * @param causationId the id of what directly led to it
 */
public record IntegrationMessage(
    UUID id,
    String type,
    String key,
    String subject,
    Instant time,
    Payload data,
    Optional<String> correlationId,
    Optional<String> causationId) {

  /** The greatest size of a key, in bytes; every aggregate's id fits. */
  public static final int MAX_KEY_BYTES = 1024;

  /** Cuts the time to what every store can hold. */
  public IntegrationMessage {
    if (type.isEmpty() || key.isEmpty() || subject.isEmpty()) {
      throw new IllegalArgumentException(
          "type, key and subject of integration message " + id + " must not be empty");
    }
    int keyBytes = key.getBytes(StandardCharsets.UTF_8).length;
    if (keyBytes > MAX_KEY_BYTES) {
      throw new IllegalArgumentException(
          "the key of integration message "
              + id
              + " of type '"
              + type
              + "' has "
              + keyBytes
              + " bytes, at most "
              + MAX_KEY_BYTES
              + " are possible: order by an id, or by a hash of what is longer");
    }
    time = time.truncatedTo(ChronoUnit.MICROS);
  }
}
