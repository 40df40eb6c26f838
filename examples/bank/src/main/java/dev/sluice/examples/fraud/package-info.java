/** Another bounded context. It knows of the bank what the bank publishes, and no class of it. */
@NullMarked
package dev.sluice.examples.fraud;

import org.jspecify.annotations.NullMarked;
