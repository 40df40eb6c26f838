package dev.sluice.core.store;

import dev.sluice.core.Position;
import dev.sluice.core.event.StreamId;
import java.util.UUID;

/**
 * Where an event is stored.
 *
 * @param id its id
 * @param stream its stream
 * @param version its place in the stream, from 1
 * @param position its place in the order of all events
 */
public record StoredEvent(UUID id, StreamId stream, long version, Position position) {}
