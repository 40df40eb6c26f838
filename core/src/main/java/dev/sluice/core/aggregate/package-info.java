/**
 * Deciders and aggregates, and the loop that runs a command against them: load, decide, append,
 * retry.
 */
@NullMarked
package dev.sluice.core.aggregate;

import org.jspecify.annotations.NullMarked;
