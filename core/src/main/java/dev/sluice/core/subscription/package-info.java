/**
 * Reads the global log on behalf of handlers: in order, at least once, by one owner at a time, and
 * never past what a handler has not dealt with.
 */
@NullMarked
package dev.sluice.core.subscription;

import org.jspecify.annotations.NullMarked;
