package dev.sluice.examples.bank.demo;

import dev.sluice.core.SluiceException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Runs the story, on the servers that the system properties name or on embedded ones. */
public final class BankDemo {

  private BankDemo() {}

  /** Ends with status 0, or with 2 and one message that says what is wrong. */
  public static void main(String[] args) throws IOException {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    // The build looks for this file, since it can't look at the status.
    Optional<Path> told = Optional.ofNullable(System.getProperty("told")).map(Path::of);
    if (told.isPresent()) {
      Files.deleteIfExists(told.get());
    }
    try (Servers servers = Servers.start(DemoSettings.of(System.getProperties()))) {
      new Story(servers, out).tell();
    } catch (DemoException | SluiceException e) {
      out.println();
      out.println("The demo stopped. " + e.getMessage());
      System.exit(2);
    } catch (RuntimeException e) {
      // A bug. Without this, the threads of an embedded broker would keep the process alive.
      e.printStackTrace();
      System.exit(1);
    }
    if (told.isPresent()) {
      Files.createFile(told.get());
    }
    System.exit(0);
  }
}
