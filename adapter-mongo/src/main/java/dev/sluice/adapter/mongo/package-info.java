/** All ports on MongoDB: one document per commit, without multi-document transactions. */
@NullMarked
package dev.sluice.adapter.mongo;

import org.jspecify.annotations.NullMarked;
