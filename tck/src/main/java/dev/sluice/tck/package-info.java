/** The contract of a storage adapter, as tests. */
@NullMarked
package dev.sluice.tck;

import org.jspecify.annotations.NullMarked;
