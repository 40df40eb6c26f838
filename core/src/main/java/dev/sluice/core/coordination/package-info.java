/**
 * Checkpoints and leases, with which processes agree on who does what and how far it is done. Knows
 * no event.
 */
@NullMarked
package dev.sluice.core.coordination;

import org.jspecify.annotations.NullMarked;
