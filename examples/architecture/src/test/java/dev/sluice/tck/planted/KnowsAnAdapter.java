package dev.sluice.tck.planted;

/** Planted: breaks CONTRACT_KNOWS_THE_CORE_ONLY. */
final class KnowsAnAdapter {
  Class<?> used = dev.sluice.adapter.inmemory.InMemoryStorage.class;
}
