/** For tests of a service: guards what other bounded contexts rely on. */
@NullMarked
package dev.sluice.publisher.schema;

import org.jspecify.annotations.NullMarked;
