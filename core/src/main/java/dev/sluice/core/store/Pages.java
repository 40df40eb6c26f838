package dev.sluice.core.store;

import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/** Turns reading page by page into one lazy stream that holds one page at a time. */
final class Pages {

  static final int SIZE = 1_000;

  private Pages() {}

  static <C, T> Stream<T> of(C start, Function<C, List<T>> read, Function<T, C> next) {
    return Stream.iterate(
            read.apply(start),
            page -> !page.isEmpty(),
            page -> page.size() < SIZE ? List.<T>of() : read.apply(next.apply(page.getLast())))
        .flatMap(List::stream);
  }
}
