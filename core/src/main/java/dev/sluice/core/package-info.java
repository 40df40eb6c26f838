/** The words that every other package uses. */
@NullMarked
package dev.sluice.core;

import org.jspecify.annotations.NullMarked;
