/** The balances view: what all accounts hold, made from their events. */
@NullMarked
package dev.sluice.examples.bank.balances;

import org.jspecify.annotations.NullMarked;
