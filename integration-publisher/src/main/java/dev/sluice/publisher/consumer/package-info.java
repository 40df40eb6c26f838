/** For the other side: reading integration events from Kafka, each taking effect once. */
@NullMarked
package dev.sluice.publisher.consumer;

import org.jspecify.annotations.NullMarked;
