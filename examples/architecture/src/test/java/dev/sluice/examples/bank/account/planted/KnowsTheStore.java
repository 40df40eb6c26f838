package dev.sluice.examples.bank.account.planted;

/** Planted: breaks DOMAIN_KNOWS_NO_STORE. */
final class KnowsTheStore {
  Class<?> used = dev.sluice.core.store.Storage.class;
}
