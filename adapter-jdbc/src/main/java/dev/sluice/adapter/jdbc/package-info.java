/** All ports on PostgreSQL. */
@NullMarked
package dev.sluice.adapter.jdbc;

import org.jspecify.annotations.NullMarked;
