/** The language that the bank publishes, and the step that decides what is said in it. */
@NullMarked
package dev.sluice.examples.bank.published;

import org.jspecify.annotations.NullMarked;
