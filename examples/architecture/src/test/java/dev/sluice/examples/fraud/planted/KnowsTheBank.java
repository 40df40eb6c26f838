package dev.sluice.examples.fraud.planted;

/** Planted: breaks FRAUD_KNOWS_NO_CLASS_OF_THE_BANK. */
final class KnowsTheBank {
  Class<?> used = dev.sluice.examples.bank.published.LargeDepositMade.class;
}
