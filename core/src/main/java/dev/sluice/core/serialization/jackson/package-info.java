/** The only room that knows Jackson. */
@NullMarked
package dev.sluice.core.serialization.jackson;

import org.jspecify.annotations.NullMarked;
