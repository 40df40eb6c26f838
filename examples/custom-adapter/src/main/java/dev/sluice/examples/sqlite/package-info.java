/** A storage adapter as a stranger would write it: everything in one SQLite file. */
@NullMarked
package dev.sluice.examples.sqlite;

import org.jspecify.annotations.NullMarked;
