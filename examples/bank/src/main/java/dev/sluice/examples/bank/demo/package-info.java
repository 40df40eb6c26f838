/** The demo: a story about the bank, told on the terminal. */
@NullMarked
package dev.sluice.examples.bank.demo;

import org.jspecify.annotations.NullMarked;
