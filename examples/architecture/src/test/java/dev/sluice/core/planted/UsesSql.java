package dev.sluice.core.planted;

/** Planted: breaks CORE_KNOWS_NO_TECHNOLOGY. */
final class UsesSql {
  org.postgresql.ds.PGSimpleDataSource source = new org.postgresql.ds.PGSimpleDataSource();
}
