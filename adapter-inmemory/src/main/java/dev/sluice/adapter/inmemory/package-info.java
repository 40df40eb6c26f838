/** All ports in memory: the guide for authors of adapters. */
@NullMarked
package dev.sluice.adapter.inmemory;

import org.jspecify.annotations.NullMarked;
