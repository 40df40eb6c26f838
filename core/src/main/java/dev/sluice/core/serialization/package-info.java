/** From domain events to bytes and back, by explicit names instead of class names. */
@NullMarked
package dev.sluice.core.serialization;

import org.jspecify.annotations.NullMarked;
