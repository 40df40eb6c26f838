/**
 * Processes that span several aggregates: they react to events, keep their own state as a stream,
 * and issue commands.
 */
@NullMarked
package dev.sluice.core.process;

import org.jspecify.annotations.NullMarked;
