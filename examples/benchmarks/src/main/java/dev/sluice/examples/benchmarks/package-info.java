/** Sluice against code written by hand, on the same server. */
@NullMarked
package dev.sluice.examples.benchmarks;

import org.jspecify.annotations.NullMarked;
