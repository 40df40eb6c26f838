package dev.sluice.core.outbox;

import dev.sluice.core.Position;

/**
 * How far a lane has come, kept by the broker together with the messages.
 *
 * @param position the position in the outbox that the lane has dealt with
 * @param state what the relay needs beside the position, such as parked keys; text that is opaque
 *     to the broker, and small
 */
public record Progress(Position position, String state) {}
