/** Rules that a service checks itself against. */
@NullMarked
package dev.sluice.architecture;

import org.jspecify.annotations.NullMarked;
