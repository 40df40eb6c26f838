package dev.sluice.publisher.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * An integration event as it arrives: a CloudEvents 1.0 message in the binary mode of the Kafka
 * binding, whoever has sent it.
 *
 * @param id unique together with the source
 * @param source who has sent it
 * @param type the name of the integration event
 * @param subject what it is about
 * @param time when it happened
 * @param correlationId what the whole conversation is known by
 * @param causationId the id of what directly led to it
 * @param data the event, JSON when Sluice has sent it
 */
public record InboundMessage(
    String id,
    String source,
    String type,
    Optional<String> subject,
    Optional<OffsetDateTime> time,
    Optional<String> correlationId,
    Optional<String> causationId,
    String data) {

  /**
   * Reads a record.
   *
   * @throws IllegalArgumentException if it is not a CloudEvents 1.0 message in binary mode
   */
  public static InboundMessage from(ConsumerRecord<byte[], byte[]> record) {
    String version = required(record, "ce_specversion");
    if (!version.equals("1.0")) {
      throw notOne(record, "ce_specversion is " + version);
    }
    byte[] value = record.value();
    return new InboundMessage(
        required(record, "ce_id"),
        required(record, "ce_source"),
        required(record, "ce_type"),
        header(record, "ce_subject"),
        header(record, "ce_time").map(time -> parsed(record, time)),
        header(record, "ce_correlationid"),
        header(record, "ce_causationid"),
        value == null ? "" : new String(value, UTF_8));
  }

  private static OffsetDateTime parsed(ConsumerRecord<byte[], byte[]> record, String time) {
    try {
      return OffsetDateTime.parse(time);
    } catch (DateTimeParseException e) {
      throw notOne(record, "ce_time is " + time);
    }
  }

  private static String required(ConsumerRecord<byte[], byte[]> record, String name) {
    return header(record, name).orElseThrow(() -> notOne(record, name + " is missing"));
  }

  private static Optional<String> header(ConsumerRecord<byte[], byte[]> record, String name) {
    Header header = record.headers().lastHeader(name);
    return header == null || header.value() == null
        ? Optional.empty()
        : Optional.of(new String(header.value(), UTF_8));
  }

  private static IllegalArgumentException notOne(
      ConsumerRecord<byte[], byte[]> record, String why) {
    return new IllegalArgumentException(
        "the record at offset "
            + record.offset()
            + " of "
            + record.topic()
            + "-"
            + record.partition()
            + " is no CloudEvents 1.0 message in binary mode: "
            + why);
  }
}
