/** From the outbox to a broker. */
@NullMarked
package dev.sluice.publisher;

import org.jspecify.annotations.NullMarked;
