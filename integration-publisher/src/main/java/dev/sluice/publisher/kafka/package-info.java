/** Kafka as the broker: CloudEvents in Kafka transactions. */
@NullMarked
package dev.sluice.publisher.kafka;

import org.jspecify.annotations.NullMarked;
