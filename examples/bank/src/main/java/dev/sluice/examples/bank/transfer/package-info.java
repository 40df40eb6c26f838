/** Transfers: processes that span two accounts. */
@NullMarked
package dev.sluice.examples.bank.transfer;

import org.jspecify.annotations.NullMarked;
