/** Real servers for tests: an explicit URI, else a container, else embedded. */
@NullMarked
package dev.sluice.testservers;

import org.jspecify.annotations.NullMarked;
