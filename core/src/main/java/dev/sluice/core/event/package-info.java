/**
 * The nouns of a stream: domain events, the ids of streams, and events before and after they are
 * stored.
 */
@NullMarked
package dev.sluice.core.event;

import org.jspecify.annotations.NullMarked;
