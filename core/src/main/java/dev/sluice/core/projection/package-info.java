/** Views made from events: what each event changes, and how a view is made anew beside the old. */
@NullMarked
package dev.sluice.core.projection;

import org.jspecify.annotations.NullMarked;
