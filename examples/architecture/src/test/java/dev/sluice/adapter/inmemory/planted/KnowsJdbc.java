package dev.sluice.adapter.inmemory.planted;

/** Planted: breaks ADAPTERS_KNOW_NO_OTHER_ADAPTER. */
final class KnowsJdbc {
  Class<?> used = dev.sluice.adapter.jdbc.JdbcStorage.class;
}
