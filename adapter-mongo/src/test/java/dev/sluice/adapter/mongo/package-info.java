/** The contract, what MongoDB adds to it, and the faults that the adapter survives. */
@NullMarked
package dev.sluice.adapter.mongo;

import org.jspecify.annotations.NullMarked;
