package dev.sluice.core.translation;

import dev.sluice.core.event.Metadata;
import dev.sluice.core.event.StreamId;
import java.time.Instant;
import java.util.UUID;

/**
 * Where a domain event comes from.
 *
 * @param stream its stream
 * @param eventId its id
 * @param time when it happened
 * @param metadata what else is said about it
 */
public record Source(StreamId stream, UUID eventId, Instant time, Metadata metadata) {}
