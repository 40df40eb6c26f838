package dev.sluice.architecture.sample.shop;

import dev.sluice.architecture.sample.bank.account.Opened;

/** Another context, which knows too much. */
record Curious(Opened event) {}
