/** The bank: accounts, and the demo that tells their story. */
@NullMarked
package dev.sluice.examples.bank;

import org.jspecify.annotations.NullMarked;
