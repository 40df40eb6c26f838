package dev.sluice.tck;

import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.LifecycleMethodExecutionExceptionHandler;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;

/** Says which promise is broken where a store threw something that no test expects. */
final class PromiseBroken
    implements TestExecutionExceptionHandler, LifecycleMethodExecutionExceptionHandler {

  @Override
  public void handleBeforeEachMethodExecutionException(ExtensionContext context, Throwable thrown)
      throws Throwable {
    handleTestExecutionException(context, thrown);
  }

  @Override
  public void handleTestExecutionException(ExtensionContext context, Throwable thrown)
      throws Throwable {
    if (thrown instanceof AssertionError) {
      throw thrown;
    }
    String name = context.getRequiredTestMethod().getName();
    throw new AssertionError(
        name.replaceFirst("^([A-Z]\\d)_", "$1: ").replace('_', ' ')
            + "; expected was no exception, seen was "
            + thrown,
        thrown);
  }
}
