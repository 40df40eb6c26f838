/** All ports on PostgreSQL, through JDBI and the PostgreSQL JDBC driver. */
@NullMarked
package dev.sluice.adapter.jdbc;

import org.jspecify.annotations.NullMarked;
