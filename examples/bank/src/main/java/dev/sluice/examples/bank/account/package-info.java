/** The account: the private domain of the bank. Other bounded contexts never see these types. */
@NullMarked
package dev.sluice.examples.bank.account;

import org.jspecify.annotations.NullMarked;
