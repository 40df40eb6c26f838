package dev.sluice.publisher.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.core.outbox.IntegrationMessage;
import java.net.URI;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.utils.Utils;
import org.jspecify.annotations.Nullable;

/** An outbox message as a Kafka record in the binary mode of the CloudEvents 1.0 Kafka binding. */
final class CloudEvents {
  private static final byte[] SPEC_VERSION = "1.0".getBytes(UTF_8);
  private static final byte[] JSON = "application/json".getBytes(UTF_8);

  private final byte[] source;

  CloudEvents(URI source) {
    this.source = source.toString().getBytes(UTF_8);
  }

  ProducerRecord<byte[], byte[]> record(IntegrationMessage message, PublishedLanguage.Route route) {
    byte[] key = message.key().getBytes(UTF_8);
    // Named here and not left to the client's partitioner: the client counts the partitions that
    // the topic has now, so a partition added later would move keys and tear their order.
    int partition = Utils.toPositive(Utils.murmur2(key)) % route.partitions();
    // Without a timestamp, so that the topic's retention counts from now: a message that waited for
    // long, or comes from history, would otherwise be deleted before anybody has read it.
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(route.topic(), partition, key, message.data().toBytes());
    Headers headers = record.headers();
    headers.add("ce_specversion", SPEC_VERSION);
    headers.add("ce_id", message.id().toString().getBytes(UTF_8));
    headers.add("ce_source", source);
    headers.add("ce_type", message.type().getBytes(UTF_8));
    add(headers, "ce_subject", message.subject());
    add(
        headers,
        "ce_time",
        DateTimeFormatter.ISO_OFFSET_DATE_TIME.format(message.time().atOffset(ZoneOffset.UTC)));
    headers.add("content-type", JSON);
    URI schema = route.dataSchema();
    add(headers, "ce_dataschema", schema == null ? null : schema.toString());
    // Only these two of the metadata: the rest is the bounded context's own business.
    add(headers, "ce_correlationid", message.correlationId().orElse(null));
    add(headers, "ce_causationid", message.causationId().orElse(null));
    return record;
  }

  private static void add(Headers headers, String name, @Nullable String value) {
    if (value != null && !value.isEmpty()) {
      headers.add(name, value.getBytes(UTF_8));
    }
  }
}
