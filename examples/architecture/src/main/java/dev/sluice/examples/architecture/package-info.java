/** Holds no code: its tests check the architecture of the whole product. */
@NullMarked
package dev.sluice.examples.architecture;

import org.jspecify.annotations.NullMarked;
