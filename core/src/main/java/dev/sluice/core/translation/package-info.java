/**
 * From domain events to integration events: the step that decides what leaves the bounded context.
 */
@NullMarked
package dev.sluice.core.translation;

import org.jspecify.annotations.NullMarked;
