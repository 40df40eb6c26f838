package dev.sluice.tck;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Writes down which guarantees an adapter kept. */
final class ConformanceReport implements AfterEachCallback {

  @Override
  public void afterEach(ExtensionContext context) {}
}
