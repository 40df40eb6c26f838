/** The only room that knows Micrometer. */
@NullMarked
package dev.sluice.core.micrometer;

import org.jspecify.annotations.NullMarked;
