package dev.sluice.core.aggregate;

import dev.sluice.core.Position;

/**
 * An aggregate as it was read.
 *
 * @param state the state after its last event
 * @param version how many events it has; 0 if it does not exist
 * @param position of its last event; the start if it has none, or if that event was not read
 *     because a snapshot stood for it
 * @param <S> the state
 */
public record Loaded<S>(S state, long version, Position position) {}
