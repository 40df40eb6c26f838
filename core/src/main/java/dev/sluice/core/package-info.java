/**
 * Values that every room shares: positions, payloads, names of types, and the root of all
 * exceptions.
 */
@NullMarked
package dev.sluice.core;

import org.jspecify.annotations.NullMarked;
