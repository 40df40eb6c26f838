package dev.sluice.examples.bank.demo;

import dev.sluice.core.SluiceException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** Runs the story, on the servers that the system properties name or on embedded ones. */
public final class BankDemo {

  private BankDemo() {}

  /** Ends with status 0, or with 1 and one message that says what is wrong. */
  public static void main(String[] args) {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    try (Servers servers = Servers.start(DemoSettings.of(System.getProperties()))) {
      new Story(servers, out).tell();
    } catch (DemoException | SluiceException e) {
      out.println();
      out.println("The demo stopped. " + e.getMessage());
      System.exit(1);
    } catch (RuntimeException e) {
      // A bug. Without this, the threads of an embedded broker would keep the process alive.
      e.printStackTrace();
      System.exit(1);
    }
    System.exit(0);
  }
}
