package dev.sluice.examples.bank.demo;

/** The demo can't go on; the message says why, and what to do. */
final class DemoException extends RuntimeException {

  DemoException(String message) {
    super(message);
  }

  DemoException(String message, Throwable cause) {
    super(message, cause);
  }
}
