package dev.sluice.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.IOException;
import java.io.InputStream;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * The suites notice faults of the core, too, where a store's promise is kept there: its own code
 * with one line changed, compiled anew, and loaded beside the right one.
 */
class CoreMutantsTest {

  private static final String CORE = "core/src/main/java/dev/sluice/core/";
  private static final String SUBSCRIPTION = CORE + "subscription/";
  private static final String TRANSLATION = CORE + "translation/Translation.java";
  private static final String[] SUITES = {
    "tck/src/main/java/dev/sluice/tck/SubscriptionContract.java",
    "tck/src/main/java/dev/sluice/tck/Await.java"
  };
  private static final Pattern PATIENCE = Pattern.compile("(BOUND = Duration.ofSeconds\\()\\d+");

  /** Some lines of a file, what they are replaced with, and the test that must notice. */
  record Mutant(
      String fault, String file, String right, String wrong, Class<?> suite, String killedBy) {

    Mutant(String fault, String file, String right, String wrong, String killedBy) {
      this(fault, SUBSCRIPTION + file, right, wrong, Subscriptions.class, killedBy);
    }

    @Override
    public String toString() {
      return fault;
    }
  }

  @TempDir Path classes;

  static Stream<Mutant> mutants() {
    return Stream.of(
        new Mutant(
            "a translator's failure is swallowed",
            TRANSLATION,
            "    List<Outgoing> all = translator.translate(event, source);",
            "    List<Outgoing> all;"
                + " try { all = translator.translate(event, source); }"
                + " catch (RuntimeException e) { all = List.of(); }",
            Outboxes.class,
            "O3_a_translator_that_throws_fails_the_append_and_nothing_is_stored"),
        new Mutant(
            "the checkpoint is saved before the handler is called",
            "Delivery.java",
            "      case Consumer.One one -> {\n        int done = 0;",
            "      case Consumer.One one -> {\n        cursor.save(end, cursor.state());\n       "
                + " int done = 0;",
            "U1_what_an_owner_was_at_when_it_died_comes_again"),
        new Mutant(
            "a takeover leaves the old owner's token in the checkpoint",
            "Worker.java",
            "    cursor.save(found.withOwned(true).withReads(subscription.filter()));",
            "    delivery.suspect(0);",
            "U3_from_its_takeover_on_only_the_new_owner_moves_the_checkpoint"),
        new Mutant(
            "an event that fails for good is skipped in silence",
            "Delivery.java",
            "      return giveUp(event, failing);\n    }\n    retryAt",
            "      cursor.save(event.position(), cursor.state().withoutFailing());\n      return"
                + " true;\n    }\n    retryAt",
            "U4_an_event_that_always_fails_stops_the_subscription_until_somebody_decides"),
        new Mutant(
            "what the filter leaves out does not move the cursor",
            "Delivery.java",
            "    if (page.next().isAfter(cursor.position())) {\n      cursor.move(page.next());",
            "    if (false) {\n      cursor.move(page.next());",
            "U1_the_cursor_passes_what_the_filter_leaves_out"),
        new Mutant(
            "a try is counted only after it",
            "Delivery.java",
            "    cursor.save(cursor.state().withFailing(tried));",
            "",
            "U4_an_event_that_ends_the_process_is_parked_after_as_many_tries"),
        new Mutant(
            "later events of a parked stream do not wait behind it",
            "Delivery.java",
            "    return cursor.state().parked().isEmpty()\n        ? events",
            "    return true\n        ? events",
            "U4_a_parked_stream_waits_in_order_while_others_go_on"));
  }

  @ParameterizedTest
  @MethodSource("mutants")
  void isKilledByTheTestThatItNames(Mutant mutant) throws Exception {
    assertThat(run(mutant, "").getTestsSucceededCount())
        .as("%s passes on the code without the fault", mutant.killedBy)
        .isEqualTo(1);
    TestExecutionSummary faulty = run(mutant, mutant.right);
    assertThat(faulty.getTestsFailedCount())
        .as("the code where %s survived %s", mutant.fault, mutant.killedBy)
        .isEqualTo(1);
    assertThat(faulty.getFailures().getFirst().getException())
        .as("a promise was broken, not the test itself")
        .isInstanceOf(AssertionError.class);
  }

  private TestExecutionSummary run(Mutant mutant, String replaced) throws Exception {
    List<Path> changed = new ArrayList<>();
    Path file = source(mutant.file);
    String code = Files.readString(file);
    assertThat(code).containsOnlyOnce(mutant.right);
    changed.add(
        write(
            file.getFileName().toString(),
            replaced.isEmpty() ? code : code.replace(replaced, mutant.wrong)));
    for (String suite : SUITES) {
      // What will not come needs no patience.
      Matcher patience = PATIENCE.matcher(Files.readString(source(suite)));
      String impatient = patience.replaceAll("$15");
      changed.add(write(Path.of(suite).getFileName().toString(), impatient));
    }
    compile(changed);
    var listener = new SummaryGeneratingListener();
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request()
                .selectors(
                    selectMethod(
                        new Beside(classes).loadClass(mutant.suite.getName()), mutant.killedBy))
                .configurationParameter("sluice.tck.report", "off")
                .build(),
            listener);
    TestExecutionSummary summary = listener.getSummary();
    assertThat(summary.getTestsFoundCount()).as("tests named %s", mutant.killedBy).isEqualTo(1);
    return summary;
  }

  /** From the module's folder, as Maven runs it, or from the one above. */
  private static Path source(String file) {
    Path here = Path.of(file);
    return Files.exists(here) ? here : Path.of("..").resolve(file);
  }

  private Path write(String file, String code) throws IOException {
    Path source = Files.createDirectories(classes.resolve("source")).resolve(file);
    return Files.writeString(source, code);
  }

  private void compile(List<Path> sources) {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    boolean done =
        compiler
            .getTask(
                messages,
                null,
                null,
                List.of(
                    "-proc:none",
                    "-nowarn",
                    "-d",
                    classes.toString(),
                    "-classpath",
                    System.getProperty("java.class.path")),
                null,
                compiler
                    .getStandardFileManager(null, null, null)
                    .getJavaFileObjectsFromPaths(sources))
            .call();
    assertThat(done).as("the mutant compiles: %s", messages).isTrue();
  }

  static class Subscriptions extends SubscriptionContract {
    @Override
    protected StorageFixture createFixture() {
      return new InMemoryFixture();
    }
  }

  static class Outboxes extends OutboxContract {
    @Override
    protected StorageFixture createFixture() {
      return new InMemoryFixture();
    }
  }

  /** Loads the product's classes once more, the changed ones from a folder. */
  private static final class Beside extends ClassLoader {

    private final Path changed;

    Beside(Path changed) {
      super(CoreMutantsTest.class.getClassLoader());
      this.changed = changed;
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      synchronized (getClassLoadingLock(name)) {
        Class<?> loaded = findLoadedClass(name);
        if (loaded != null) {
          return loaded;
        }
        return name.startsWith("dev.sluice.") ? define(name) : super.loadClass(name, resolve);
      }
    }

    private Class<?> define(String name) throws ClassNotFoundException {
      String file = name.replace('.', '/') + ".class";
      Path own = changed.resolve(file);
      try (InputStream in =
          Files.exists(own) ? Files.newInputStream(own) : getParent().getResourceAsStream(file)) {
        if (in == null) {
          throw new ClassNotFoundException(name);
        }
        byte[] bytes = in.readAllBytes();
        return defineClass(name, bytes, 0, bytes.length);
      } catch (IOException e) {
        throw new ClassNotFoundException(name, e);
      }
    }
  }
}
