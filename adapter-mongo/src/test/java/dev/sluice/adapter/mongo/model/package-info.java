/** The commit protocol as a model, searched exhaustively. */
@NullMarked
package dev.sluice.adapter.mongo.model;

import org.jspecify.annotations.NullMarked;
