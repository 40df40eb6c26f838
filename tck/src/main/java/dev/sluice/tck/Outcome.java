package dev.sluice.tck;

import org.jspecify.annotations.Nullable;

/** How a call ended, as a value. */
record Outcome<T>(@Nullable T returned, @Nullable Throwable failure) {

  static <T> Outcome<T> returned(T value) {
    return new Outcome<>(value, null);
  }

  static <T> Outcome<T> threw(@Nullable Throwable failure) {
    return new Outcome<>(null, failure);
  }

  boolean hasReturned() {
    return failure == null;
  }

  T value() {
    if (returned == null) {
      throw new AssertionError("a call failed that was to return", failure);
    }
    return returned;
  }

  @Override
  public String toString() {
    return failure == null ? "returned " + returned : "threw " + failure;
  }
}
