/**
 * Integration events on their way out: what they are, where they wait, and the port to a broker.
 * Knows no domain event.
 */
@NullMarked
package dev.sluice.core.outbox;

import org.jspecify.annotations.NullMarked;
