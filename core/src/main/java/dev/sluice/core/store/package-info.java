/**
 * The ports that a storage adapter implements for domain events, and the exceptions of an append.
 */
@NullMarked
package dev.sluice.core.store;

import org.jspecify.annotations.NullMarked;
